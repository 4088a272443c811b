"""The JSON keeps everything that was measured, goes through a file unchanged, and is what the schema says."""

import json
import math
import platform
import re
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bench.report
from bench.benchmark import Report, run_benchmark
from bench.comparison import Comparison, Row
from bench.environment import describe_environment
from bench.job import Device
from bench.lifecycle import Lifecycle
from bench.report import SCHEMA_VERSION, read_report, runtimes_to_json, to_json, write_report
from bench.rounds import Blocks
from bench.runtimes import RuntimeRow
from bench.statistics import Ratio, Verdict
from bench.subject import Subject
from bench.variants import FLOOR, NULL, REFERENCE, Kind, Variant, cpu_variants
from linreg.config import BenchSettings
from linreg.errors import LinregError, ModelError
from tests import bench_reports

SCHEMA = (Path(bench.report.__file__).parent / "schema.md").read_text()
BLOCK_NS = [200_001, 200_007, 212_345]
HOST_NS = [300_001, 300_007, 312_345]


def blocks(calls: int = 40) -> Blocks:
    return Blocks(calls=calls, block_s=np.array(BLOCK_NS) * 1e-9, host_s=np.array(HOST_NS) * 1e-9)


def measured(name: str, estimate: float | None = None, *, kind: Kind = Kind.EAGER, **changes) -> Row:
    ratio = None if estimate is None else Ratio(estimate=estimate, low=estimate * 0.99, high=estimate * 1.01)
    values = {
        "worst_error": 0.25,
        "bytes_equal": True,
        "blocks": (blocks(), blocks(39)),
        "median_s": 5.000175e-6,
        "host_median_s": 7.5e-6,
        "ratio": ratio,
        "process_ratios": () if ratio is None else (ratio, replace(ratio, estimate=estimate * 1.001)),
        "tails": {"p50": 5.1e-6, "p90": 6e-6},
        **changes,
    }
    return Row(variant=Variant(name=name, kind=kind), **values)


ROWS = (
    measured(REFERENCE),
    measured(NULL, 1.0),
    measured("third", 0.4, verdict=Verdict.FASTER, launch_bound=True, bytes_equal=False),
    measured(FLOOR, 0.004, kind=Kind.FLOOR, worst_error=None, bytes_equal=None, tails={}),
    Row(variant=Variant(name="wrong", kind=Kind.PT2), problem="wrong: output (0, 0) is nan", bytes_equal=False),
    Row(variant=Variant(name="absent", kind=Kind.PT2), problem="skipped: no device"),
)
LIFECYCLE = Lifecycle(
    name=REFERENCE,
    import_s=1.5,
    load_s=0.05,
    calls_s=(0.08, 0.0004, 0.00002),
    steady_s=7e-6,
    calls_until_steady=9,
    memory_bytes=2**27,
    file_bytes=0,
)


def made(*rows: Row, device: Device = Device.CPU, **changes) -> Report:
    values = {
        "state_sha256": "ab" * 32,
        "settings": BenchSettings(batches=(64,), threads=(2,), reference=REFERENCE),
        "processes": 2,
        "comparisons": (Comparison(device=device, threads=2, onnxruntime_threads=2, batch=64, rows=rows or ROWS),),
        "lifecycles": (LIFECYCLE,),
        "preempted": 3405,
        "stolen_s": 0.123456,
        "duration_s": 60.4321,
        "environment": describe_environment(),
        **changes,
    }
    return Report(**values)


def as_json(*rows: Row, self_check=None, runtimes=None, **changes) -> dict:
    return to_json(made(*rows, **changes), command=("linreg", "bench"), self_check=self_check, runtimes=runtimes)


def rows_of(report: dict) -> dict[str, dict]:
    (comparison,) = report["comparisons"]
    return {row["name"]: row for row in comparison["rows"]}


RUNTIMES = runtimes_to_json(
    [
        RuntimeRow(
            name=name,
            version="1.32",
            batch=4096,
            proof=f"{name}: 5 cases, bit-equal",
            blocks=(blocks(), blocks()),
            median_s=2e-6,
            ratio=ratio,
        )
        for name, ratio in (("python", None), ("c", Ratio(estimate=0.5, low=0.0, high=math.inf)))
    ],
    {"wasm": "no node"},
)


# ---- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [*Device])
def test_it_goes_through_a_file_unchanged(tmp_path, device):
    report = as_json(device=device, self_check={"passed": True, "excluded": 0.045}, runtimes=RUNTIMES)
    assert (
        json.loads(json.dumps(report, allow_nan=False)) == report
    )  # tuples are lists already, and nothing is infinite
    write_report(tmp_path / "bench.json", report)
    assert read_report(tmp_path / "bench.json") == report


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
        "rounds": 100,
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
    report = as_json(settings=BenchSettings(processes=1), processes=1)
    assert report["scope"] == "this process only"
    assert as_json(settings=BenchSettings(processes=10), processes=5)["scope"] == "5 processes"  # stopped early


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
    row = measured("few", 1.1, ratio=ratio, process_ratios=(ratio, ratio), verdict=Verdict.INCONCLUSIVE)
    report = as_json(measured(REFERENCE), row)
    found = json.loads(json.dumps(report, allow_nan=False))["comparisons"][0]["rows"][1]
    expected = {"estimate": 1.1, "low": 0.0, "high": None}
    assert found["ratio"] == expected
    assert [process["ratio"] for process in found["processes"]] == [expected] * 2


def test_runtimes_are_told_with_their_proof_and_their_blocks():
    python, program = RUNTIMES["rows"]
    assert (RUNTIMES["reference"], RUNTIMES["missing"]) == ("python", {"wasm": "no node"})
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


# ---- the schema ------------------------------------------------------------------------------------------------------


def keys(value) -> set[str]:
    """Of every object but those whose keys are names: versions, tails and missing runtimes."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    named = {"versions", "missing", "self_check"}
    return set(value) | set().union(*(keys(entry) for key, entry in value.items() if key not in named))


@pytest.mark.parametrize("device", [*Device])
def test_every_field_is_documented(device):
    documented = set(re.findall(r"`(\w[\w.]*)`", SCHEMA))
    assert keys(as_json(device=device, runtimes=RUNTIMES)) - documented == set()


def test_every_field_that_is_documented_is_there():
    there = keys(as_json(device=Device.CUDA, runtimes=RUNTIMES))
    tables = re.findall(r"^`(\w+)` \|", SCHEMA, re.MULTILINE)
    assert len(tables) > 40
    assert set(tables) - there == set()


def test_the_reports_that_tests_make_by_hand_have_the_fields_of_a_real_one():
    real, by_hand = as_json(), bench_reports.report()
    assert set(real["comparisons"][0]["rows"][2]) == set(by_hand["comparisons"][0]["rows"][2])
    assert set(real["lifecycle"][0]) == set(by_hand["lifecycle"][0])
    assert set(by_hand) == set(real)


def test_kinds_and_verdicts_are_those_of_the_schema():
    for name in (*Kind, *Verdict):
        assert f"`{name.value}`" in SCHEMA


# ---- the file --------------------------------------------------------------------------------------------------------


def test_the_file_has_a_line_a_key(tmp_path):
    report = as_json()
    write_report(tmp_path / "bench.json", report)
    lines = (tmp_path / "bench.json").read_text().splitlines()
    assert [line.split('"')[1] for line in lines[1:-1]] == [*report]
    assert (lines[0], lines[-1]) == ("{", "}")


def test_names_of_any_kind_go_through_the_file(tmp_path):
    for place, report in enumerate((bench_reports.hostile(), *bench_reports.SAMPLES.values())):
        write_report(tmp_path / f"{place}.json", report)
        assert read_report(tmp_path / f"{place}.json") == report


def test_infinity_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path / "bench.json", {**as_json(), "quality": math.inf})
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize(
    ("change", "got"),
    [({"schema_version": 1}, "1"), ({"schema_version": 3}, "3"), ({"schema_version": "2"}, "2")],
    ids=str,
)
def test_another_version_is_refused(tmp_path, change, got):
    write_report(tmp_path / "bench.json", {**as_json(), **change})
    with pytest.raises(ModelError) as caught:
        read_report(tmp_path / "bench.json")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'bench.json'}: is no report of schema version 2")
    assert f"got {got}" in message
    assert "linreg bench" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', '{"comparisons": []}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "bench.json"))):
        read_report(tmp_path / "bench.json")


def test_a_missing_report_is_one_line(tmp_path):
    with pytest.raises(LinregError, match="no such file"):
        read_report(tmp_path / "bench.json")


# ---- of a real benchmark ---------------------------------------------------------------------------------------------


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
    report = to_json(found, command=("linreg", "bench"), self_check=None)
    write_report(tmp_path / "bench.json", report)
    text = (tmp_path / "bench.json").read_text()
    assert json.loads(text) == report
    assert report["scope"] == "this process only"
    for comparison, kept in zip(found.comparisons, json.loads(text)["comparisons"], strict=True):
        assert [row["name"] for row in kept["rows"]] == [row.name for row in comparison.rows]
        for row, own in zip(comparison.rows, kept["rows"], strict=True):
            assert own["problem"] == ""
            (process,) = own["processes"]
            assert len(process["block_ns"]) == 10
            assert process["calls_per_block"] == row.blocks[0].calls
            np.testing.assert_allclose(np.array(process["block_ns"]) * 1e-9, row.blocks[0].block_s, rtol=1e-12)
            assert own["median_s"] == pytest.approx(np.median(process["block_ns"]) * 1e-9 / process["calls_per_block"])
    for secret in ("planted-name", str(penguins), str(tmp_path), str(Path(__file__).parent)):
        assert secret not in text
