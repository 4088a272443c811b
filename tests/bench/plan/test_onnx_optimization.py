"""`--onnx-optimization`: at which level of onnxruntime's graph optimisation its rows run, and what the report says."""

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from bench.benchmark import bench
from bench.plan.planning import plan_request
from bench.plan.request import Request
from bench.plan.settings import parse_levels
from bench.plan.variants import ONNX_LEVELS, Device, at_levels, cpu_variants
from bench.processes import lifecycle_names
from bench.report.page import to_page
from bench.report.report import Report
from bench.report.tables import report_tables
from bench.worker.messages import Job
from export.runners.onnxruntime import LEVELS
from linreg.config import DeviceChoice
from linreg.errors import LinregError

QUICK = {"batches": 1, "processes": 1, "rounds": 10, "device": "cpu"}


@pytest.fixture
def levels(monkeypatch) -> list[object]:
    """The level of every session that is made, in order."""
    session, found = onnxruntime.InferenceSession, []

    def noting(data, options, **settings):
        found.append(options.graph_optimization_level)
        return session(data, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noting)
    return found


def test_the_levels_are_those_of_the_runner():
    assert set(ONNX_LEVELS) == set(LEVELS)


def test_the_default_level_changes_no_row():
    assert at_levels(cpu_variants(), ["all"]) == cpu_variants()


def test_each_level_is_a_row_of_its_own():
    names = [row.name for row in at_levels(cpu_variants(), ["all", "disabled"])]
    assert len(names) == len(set(names)) == len(cpu_variants()) + 2
    assert {"onnxruntime-run", "onnxruntime-run-disabled", "onnxruntime-io_binding-disabled"} <= set(names)
    assert not {"eager-grad-disabled", "floor-disabled"} & set(names)


def test_the_sessions_have_the_level_and_the_report_keeps_it(penguins, levels):
    report = bench(penguins, onnx_optimization="basic,disabled", **QUICK)
    assert levels == [LEVELS["basic"], LEVELS["disabled"]] * 2
    kept = {row.name: row.onnx_optimization for row in Report.from_json(report.to_json()).comparisons[0].rows}
    assert {name: level for name, level in kept.items() if level} == {
        f"onnxruntime-{how}-{level}": level for how in ("run", "io_binding") for level in ("basic", "disabled")
    }
    assert kept["eager-grad"] is None


def test_two_artifacts_run_at_the_level_too(penguins, levels):
    report = bench(
        penguins, against=penguins / "model.onnx", onnx_optimization="disabled", **{**QUICK, "device": "auto"}
    )
    assert set(levels) == {LEVELS["disabled"]}
    reference, null, this, floor = report.comparisons[0].rows
    assert (reference.name, null.name, this.name) == ("against", "null", "this")
    assert reference.onnx_optimization == null.onnx_optimization == this.onnx_optimization == "disabled"
    assert floor.onnx_optimization is None
    title = "batch 1, 1 thread, CPU, this process only; ratios to against; graph optimisation: disabled"
    assert [table.title for table in report_tables(report)] == [title]
    assert "Ratios to against; graph optimisation: disabled; this process only" in to_page(report)


@pytest.mark.parametrize(("name", "several"), [("model.onnx", "all,disabled"), ("model.torchscript", "disabled")])
def test_a_level_that_two_artifacts_do_not_have_is_refused(penguins, name, several):
    with pytest.raises(LinregError, match="at one level of onnxruntime's graph optimisation, got"):
        bench(penguins, against=penguins / name, onnx_optimization=several, **{**QUICK, "device": "auto"})


@pytest.mark.parametrize(
    ("name", "several", "words"),
    [
        ("model.onnx", "all,disabled", "--against runs both files at one level"),
        ("model.torchscript", "disabled", "ONNX Runtime does not run model.torchscript"),
    ],
)
def test_the_command_refuses_it_as_wrong_usage(linreg, penguins, name, several, words):
    ended = linreg("bench", "-m", penguins, "--against", penguins / name, "--onnx-optimization", several)
    assert f"--onnx-optimization: {words}" in " ".join(ended.failure(2).split())


def test_a_cold_start_is_sampled_at_each_level(penguins):
    plan = plan_request(Request(model=penguins, device=DeviceChoice.CPU, onnx_optimization=("all", "disabled")))
    rows = plan.variants[Device.CPU]
    job = Job(variants=(rows[0], replace(rows[0], name="null"), *rows[1:]), subjects=plan.subjects, folder=Path(),
              batches=(1,), rounds=10, seed=1)  # fmt: skip
    assert {"onnxruntime-run", "onnxruntime-run-disabled"} <= set(lifecycle_names(job))


@pytest.mark.parametrize("text", ["", "none", "all,", "extended"])
def test_what_is_no_level_is_refused(text):
    with pytest.raises(LinregError, match="onnx_optimization: got"):
        parse_levels(text)


def test_the_command_refuses_it_with_the_levels(linreg, bundle):
    ended = linreg("bench", "-m", bundle, "--onnx-optimization", "fast")
    assert "expected one of all, basic, disabled" in ended.failure(2)
