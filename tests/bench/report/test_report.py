"""The JSON keeps everything that was measured, and no name of the machine."""

import json
import math
import platform
import socket

import numpy as np
import pytest

from bench.analysis.parts import RowProcess
from bench.analysis.statistics import Ratio, Verdict
from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, cpu_variants
from bench.report.report import SCHEMA_VERSION
from bench.run import run_benchmark
from linreg.config import BenchSettings
from tests.bench_measured import BLOCK_NS, HOST_NS, RUNTIMES, as_json, measured, rows_of, settings_of
from tests.conftest import TESTS


def test_it_says_what_was_asked_and_where():
    report = as_json(self_check={"passed": True})
    assert report["schema_version"] == SCHEMA_VERSION == 2
    assert report["state_sha256"] == "ab" * 32
    assert report["reference"] == REFERENCE
    assert report["scope"] == "2 processes"
    assert report["command"] == ["linreg", "bench"]
    assert report["settings"] == {
        "batches": [64],
        "threads": [2],
        "onnxruntime_threads": None,
        "rounds": None,
        "processes": 10,
        "more_processes": 0,
        "processes_run": 2,
        "target": 0.01,
        "reference": REFERENCE,
        "single_calls": 700,
    }
    assert report["quality"] == {"preempted": 3405, "stolen_s": 0.12, "duration_s": 60.4}
    assert report["self_check"] == {"passed": True}
    assert report["runtimes"] is None
    assert [entry["name"] for entry in report["lifecycle"]] == [REFERENCE]
    (comparison,) = report["comparisons"]
    assert {key: comparison[key] for key in ("device", "threads", "onnxruntime_threads", "batch")} == {
        "device": "cpu",
        "threads": 2,
        "onnxruntime_threads": 2,
        "batch": 64,
    }


def test_one_process_is_labelled():
    assert settings_of(processes=1, processes_run=1).scope == "this process only"
    assert settings_of(processes=10, processes_run=5).scope == "5 processes"  # stopped early


def test_a_row_keeps_every_block():
    rows = rows_of(as_json())
    assert [*rows] == [REFERENCE, NULL, "third", FLOOR, "wrong", "absent"]
    assert rows["third"] == {
        "name": "third",
        "kind": "eager",
        "mode": "inference_mode",
        "origin": None,
        "problem": "",
        "answers": True,
        "worst_error": 0.25,
        "bytes_equal": False,
        "median_s": 5.000175e-6,
        "host_median_s": 7.5e-6,
        "rows_per_s": 64 / 5.000175e-6,
        "ratio": {"estimate": 0.4, "low": 0.4 * 0.99, "high": 0.4 * 1.01},
        "verdict": "faster",
        "launch_bound": True,
        "tails_s": {"p50": 5.1e-6, "p90": 6e-6},
        "processes": [
            {
                "ratio": {"estimate": 0.4, "low": 0.4 * 0.99, "high": 0.4 * 1.01},
                "calls_per_block": 40,
                "block_ns": BLOCK_NS,
            },
            {
                "ratio": {"estimate": 0.4 * 1.001, "low": 0.4 * 0.99, "high": 0.4 * 1.01},
                "calls_per_block": 39,
                "block_ns": BLOCK_NS,
            },
        ],
        "tail_calls": 80,
    }


def test_the_reference_has_blocks_and_no_ratio():
    reference = rows_of(as_json())[REFERENCE]
    assert (reference["ratio"], reference["verdict"]) == (None, None)
    assert [process["ratio"] for process in reference["processes"]] == [None, None]
    assert [process["block_ns"] for process in reference["processes"]] == [BLOCK_NS] * 2


def test_a_row_that_answers_nothing_has_no_throughput():
    floor = rows_of(as_json())[FLOOR]
    assert (floor["answers"], floor["rows_per_s"], floor["worst_error"], floor["bytes_equal"]) == (
        False,
        None,
        None,
        None,
    )
    assert floor["median_s"] > 0


@pytest.mark.parametrize(
    ("name", "problem", "equal"),
    [("wrong", "wrong: output (0, 0) is nan", False), ("absent", "skipped: no device", None)],
)
def test_a_row_with_a_problem_has_no_figure(name, problem, equal):
    found = rows_of(as_json())[name]
    assert (found["problem"], found["bytes_equal"], found["processes"], found["tails_s"]) == (problem, equal, [], {})
    for key in ("worst_error", "median_s", "host_median_s", "rows_per_s", "ratio", "verdict"):
        assert found[key] is None, key


def test_on_a_device_the_hosts_blocks_stand_beside():
    on_cpu, on_device = (rows_of(as_json(device=device)) for device in (Device.CPU, Device.CUDA))
    assert all("host_ns" not in process for row in on_cpu.values() for process in row["processes"])
    assert [process["host_ns"] for process in on_device["third"]["processes"]] == [HOST_NS] * 2


def test_an_open_interval_is_still_json():
    """Five rounds or less: the interval is the whole line, and JSON has no infinity."""
    ratio = Ratio(estimate=1.1, low=0.0, high=math.inf)
    processes = (RowProcess(ratio=ratio, calls_per_block=40, block_ns=tuple(BLOCK_NS)),) * 2
    row = measured("few", 1.1, ratio=ratio, processes=processes, verdict=Verdict.INCONCLUSIVE)
    report = as_json(measured(REFERENCE), row)
    found = json.loads(json.dumps(report, allow_nan=False))["comparisons"][0]["rows"][1]
    expected = {"estimate": 1.1, "low": 0.0, "high": None}
    assert found["ratio"] == expected
    assert [process["ratio"] for process in found["processes"]] == [expected] * 2


def test_runtimes_are_told_with_their_proof_and_their_blocks():
    runtimes = as_json(runtimes=RUNTIMES)["runtimes"]
    python, program = runtimes["rows"]
    assert (runtimes["reference"], runtimes["missing"]) == ("python", {"wasm": "no node"})
    assert python["ratio"] is None
    assert program == {
        "name": "c",
        "version": "1.32",
        "batch": 4096,
        "proof": "c: 5 cases, bit-equal",
        "median_s": 2e-6,
        "rows_per_s": 4096 / 2e-6,
        "ratio": {"estimate": 0.5, "low": 0.0, "high": None},
        "processes": [{"calls_per_block": 40, "block_ns": BLOCK_NS}] * 2,
    }


def test_a_real_benchmark_keeps_every_block_and_names_no_machine(penguins, tmp_path, monkeypatch):
    real = platform.uname()
    monkeypatch.setattr(platform, "uname", lambda: platform.uname_result(real.system, "planted-name", *real[2:5]))
    monkeypatch.setattr(socket, "gethostname", platform.node)
    monkeypatch.chdir(tmp_path)
    settings = BenchSettings(batches=(1, 5), rounds=10, processes=1, single_calls=0)
    variants = [variant for variant in cpu_variants() if not variant.name.startswith("torchscript")]
    found = run_benchmark(
        {"model": Subject(path=str(penguins))}, {Device.CPU: variants}, settings, bundle=penguins, provided={}
    )
    text, report = found.to_json(), found.to_values()
    assert json.loads(text) == report
    assert report["scope"] == "this process only"
    assert report["quality"]["stolen_s"] == round(report["quality"]["stolen_s"], 2)
    assert report["quality"]["duration_s"] == round(report["quality"]["duration_s"], 1) > 0
    for comparison, kept in zip(found.comparisons, json.loads(text)["comparisons"], strict=True):
        assert [row["name"] for row in kept["rows"]] == [row.name for row in comparison.rows]
        for row, own in zip(comparison.rows, kept["rows"], strict=True):
            assert own["problem"] == ""
            (process,) = own["processes"]
            assert len(process["block_ns"]) == 10
            assert process["calls_per_block"] == row.processes[0].calls_per_block
            assert process["block_ns"] == list(row.processes[0].block_ns)
            assert own["median_s"] == pytest.approx(np.median(process["block_ns"]) * 1e-9 / process["calls_per_block"])
    for secret in ("planted-name", str(penguins), str(tmp_path), str(TESTS)):
        assert secret not in text
