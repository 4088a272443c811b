"""`bench`, the door in Python: what it takes as a model, its settings, and what it refuses."""

import doctest
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import bench.benchmark
from bench.analysis.parts import Status
from bench.benchmark import bench as run_bench
from bench.plan.variants import NULL
from bench.report.report import Report
from linreg.config import BENCH_DEFAULTS, BenchSettings
from linreg.errors import LinregError
from tests import nets
from tests.bench_command import CPU, rows_of
from tests.conftest import TESTS, contents

pytestmark = pytest.mark.usefixtures("frozen", "threads")

QUICK = {"processes": 1, "rounds": 10, "batches": "1", "device": "cpu"}
NETS = TESTS / "nets.py"
TOWERS = ("user=float32[batch,4]", "item=float32[batch,6]")


def names(report: Report) -> list[str]:
    return [row.name for row in report.comparisons[0].rows]


def test_the_example_in_the_docstring(bundle, monkeypatch):
    monkeypatch.chdir(bundle.parent)
    found = doctest.testmod(bench.benchmark)
    assert (found.attempted, found.failed) == (2, 0)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_bundle_gives_the_rows_of_the_command_and_nothing_is_written(bundle, tmp_path, kind):
    before = contents(tmp_path)
    report = run_bench(kind(bundle), **QUICK)
    assert names(report) == CPU
    assert {row.status for row in report.comparisons[0].rows} == {Status.TIMED}
    assert report.command == ("linreg.bench",)
    assert rows_of(report.to_values())["onnxruntime-run"]["origin"] == "bundle"
    assert contents(tmp_path) == before
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("model", [nets.make_two_towers, nets.TwoTowers, f"{NETS}:make_two_towers"])
def test_a_function_a_class_or_a_place_that_makes_a_module(model):
    report = run_bench(model, inputs=TOWERS, **QUICK)
    assert names(report) == CPU
    assert {row.status for row in report.comparisons[0].rows} == {Status.TIMED}


def test_parameters_for_a_module(tmp_path):
    torch.manual_seed(1)
    torch.save(nets.TwoTowers().state_dict(), tmp_path / "towers.pth")
    with_state = run_bench(nets.TwoTowers, inputs=TOWERS, state_dict=tmp_path / "towers.pth", **QUICK)
    again = run_bench(nets.TwoTowers, inputs=TOWERS, state_dict=str(tmp_path / "towers.pth"), **QUICK)
    without = run_bench(nets.make_two_towers, inputs=TOWERS, **QUICK)
    assert with_state.state_sha256 == again.state_sha256 != without.state_sha256


def test_a_model_that_can_be_saved_is_saved_for_the_processes(penguins, tmp_path):
    class Fitted:
        def save(self, folder):
            shutil.copytree(penguins, folder)

    before = contents(tmp_path)
    report = run_bench(Fitted(), **QUICK)
    assert report.state_sha256 == run_bench(penguins, **QUICK).state_sha256
    assert contents(tmp_path) == before


def test_another_bundles_artifact(bundle, tmp_path):
    other = shutil.copytree(bundle, tmp_path / "other")
    report = run_bench(bundle, against=other / "model.onnx", **{**QUICK, "device": "auto"})
    assert report.reference == "against"
    assert names(report) == ["against", NULL, "this", "floor"]


def test_settings_of_every_kind_reach_the_report(penguins):
    seen = []
    report = run_bench(
        penguins,
        batches=(1, 3),
        threads="1",
        processes=1,
        rounds=11,
        target="2.5%",
        reference="eager-no_grad",
        device="cpu",
        progress=lambda *steps: seen.append(steps),
    )
    settings = report.settings
    assert (settings.batches, settings.threads, settings.rounds) == ((1, 3), (1,), 11)
    assert (settings.target, settings.processes, settings.more_processes) == (0.025, 1, 0)
    assert report.reference == "eager-no_grad"
    assert seen[-1] == ("timing in fresh processes", 1, 1)


def test_the_defaults_are_those_of_the_command(penguins, monkeypatch):
    asked = []
    monkeypatch.setattr(bench.benchmark, "measure", lambda request, plan, **_: asked.append(request))
    run_bench(penguins)
    assert asked[0].settings == BENCH_DEFAULTS != BenchSettings()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batches": "1,x"}, "batches: got '1,x', expected integers from 1 to 1048576"),
        ({"batches": ()}, r"batches: got \(\), expected integers"),
        ({"threads": 0}, "threads: got 0, expected integers"),
        ({"target": 1.5}, "target: got 1.5, expected a fraction"),
        ({"rounds": 9}, "rounds: got 9, expected 10 to 100000"),
        ({"processes": 0}, "processes: got 0, expected 1 to 1000"),
        ({"onnxruntime_threads": 9999}, "onnxruntime_threads: got 9999, expected 1 to "),
        ({"device": "gpu"}, "device: got 'gpu', expected one of auto, cpu, cuda"),
        ({"reference": "onnx"}, 'reference="onnx": is not a row'),
        ({"state_dict": "a.pth"}, "state_dict and inputs apply to your own module"),
        ({"inputs": TOWERS}, "state_dict and inputs apply to your own module"),
        ({"against": "b/model.onnx"}, "against: times only two artifacts"),
        ({"runtimes": "nowhere"}, "runtimes nowhere: expected the deploy folder"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_settings_are_refused_in_one_line(penguins, changes, message):
    with pytest.raises(LinregError, match=message):
        run_bench(penguins, **{**QUICK, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "describe its inputs with one text in inputs for each argument"),
        ({"inputs": TOWERS, "against": "b/model.onnx"}, "against and runtimes need a model of linreg train"),
        ({"inputs": TOWERS, "runtimes": "deploy"}, "against and runtimes need a model of linreg train"),
    ],
)
def test_what_a_module_cannot_have_is_refused(changes, message):
    with pytest.raises(LinregError, match=message):
        run_bench(nets.TwoTowers, **{**QUICK, **changes})


def test_a_module_itself_and_functions_that_no_process_could_find_are_refused():
    with pytest.raises(LinregError, match=r"^Linear: got a module, expected the function or class that makes it"):
        run_bench(nn.Linear(2, 1), inputs=("x=float32[batch,2]",), **QUICK)

    def local():
        return nn.Linear(2, 1)

    for factory in (local, lambda: nn.Linear(2, 1), partial(nn.Linear, 2, 1)):
        with pytest.raises(LinregError, match=r"expected a function or class at the top level of a \.py file"):
            run_bench(factory, inputs=("x=float32[batch,2]",), **QUICK)
