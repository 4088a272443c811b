"""`linreg bench --self-check`, and the record that later reports show."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import harness
from bench.analysis.self_check import SelfCheck, describe
from bench.benchmark import bench
from bench.environment import describe_environment
from bench.report.findings import smallest_difference
from bench.report.report import Report
from bench.self_check_record import last_self_check
from linreg.config import BenchSettings
from tests.bench.analysis.test_self_check import GOOD


@pytest.fixture
def state(monkeypatch, tmp_path):
    """The folder of this user's own state, for one test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "linreg"


@pytest.fixture
def as_if(monkeypatch):
    """Let the self-check of the command measure this."""
    asked = []
    threads = torch.get_num_threads()

    def plant(check: SelfCheck):
        def instead(build, neighbour, inputs, benchmark, progress):
            asked.append([runner().bind(inputs).outputs()[0] for runner in (build, build, neighbour)])
            return check

        monkeypatch.setattr(harness, "self_check", instead)
        return asked

    yield plant
    torch.set_num_threads(threads)


def test_a_check_that_passes_says_so_in_the_last_line(linreg, penguins, state, as_if):
    asked = as_if(GOOD)
    ended = linreg("bench", "--self-check", "-m", penguins)
    assert ended.code == 0
    assert ended.out.splitlines()[-2:] == [
        "pass: 4.5 % of 200 A/A intervals exclude 1, 0 claim more than 1 %",
        "resolution: 95 % of runs find a difference of 0.12 % in 2 s, 0.06 % in 10 s, and 0.4 % in the default "
        "benchmark",
    ]
    kept = last_self_check()
    assert kept.pop("environment")["processor"] == describe_environment().processor
    assert kept == describe(GOOD)
    (answers,) = asked  # the model itself, twice, and another runtime, on the same input
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-5)


def test_a_check_that_fails_says_so_and_exits_with_an_error(linreg, penguins, state, as_if):
    bad = replace(GOOD, excluded=0.2, beyond_margin=3)
    as_if(bad)
    ended = linreg("bench", "--self-check", "-m", penguins)
    assert ended.code == 1
    assert ended.out.splitlines()[-2].startswith("FAIL: 20.0 % of 200 A/A intervals exclude 1")
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: self-check: ")
    for failure in bad.failures:
        assert failure in last
    assert last_self_check()["passed"] is False  # a report must not carry an older one that passed


@pytest.mark.parametrize("check", [GOOD, replace(GOOD, beyond_margin=1)], ids=["passed", "failed"])
def test_as_json_it_is_what_is_kept(linreg, penguins, state, as_if, check):
    as_if(check)
    ended = linreg("bench", "--self-check", "-m", penguins, "--json")
    assert ended.code == (check is not GOOD)
    assert json.loads(ended.out) == json.loads((state / "self-check.json").read_text()) == last_self_check()


def write_record(state, **environment) -> dict:
    found = {**describe(GOOD), "environment": {**asdict(describe_environment()), **environment}}
    state.mkdir(parents=True, exist_ok=True)
    (state / "self-check.json").write_text(json.dumps(found))
    return found


def test_without_a_check_there_is_none(state):
    assert last_self_check() is None


def test_that_of_this_machine_is_found_whatever_its_load(state):
    found = write_record(state, load_1min=99.0, system="Linux 7")
    assert last_self_check() == found


@pytest.mark.parametrize(
    "environment", [{"processor": "Cortex-A72"}, {"cores": 4096}, {"versions": {"torch": "1.0"}}], ids=str
)
def test_that_of_another_machine_or_version_is_not(state, environment):
    write_record(state)
    assert last_self_check() is not None
    write_record(state, **environment)
    assert last_self_check() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"environment": null}', '{"environment": [1]}'])
def test_a_damaged_file_is_as_good_as_none(state, text):
    state.mkdir(parents=True)
    (state / "self-check.json").write_text(text)
    assert last_self_check() is None


def test_the_door_in_python_reports_it_as_the_command_does(linreg, penguins, state, tmp_path, threads):
    found = write_record(state)
    assert bench(penguins, batches="1", processes=1, rounds=10, device="cpu").self_check == found
    quick = ("--batch", 1, "--processes", 1, "--rounds", 10, "--device", "cpu")
    ended = linreg("bench", "-m", penguins, *quick, "-o", tmp_path)
    assert ended.code == 0
    assert json.loads((tmp_path / "bench.json").read_text())["self_check"] == found
    said = smallest_difference(Report.read(tmp_path / "bench.json"))
    assert [line for line in ended.out.splitlines() if line.startswith(("differences below", "in this run"))] == [said]


def test_without_a_home_folder_there_is_none(monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path())
    assert last_self_check() is None


def test_the_default_benchmark_has_a_ratio_of_the_copy_for_each_process(penguins, monkeypatch):
    monkeypatch.setattr(harness, "BENCH_DEFAULTS", BenchSettings(processes=2, rounds=10))
    done: list[int] = []
    ratios = harness.default_benchmark(penguins, done.append)
    assert done == [1, 2]
    assert [0.5 < ratio.estimate < 2 for ratio in ratios] == [True, True]
