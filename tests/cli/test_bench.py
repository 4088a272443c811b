"""`linreg bench`: its options and what they mean, wrong usage, and how a row that is wrong ends."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from bench.analysis.lifecycle import lifecycle_rows
from bench.analysis.parts import Comparison, Status
from bench.analysis.rows import untimed
from bench.plan.variants import NULL, REFERENCE, Device, cpu_variants, cuda_variants
from bench.worker.lifecycle import Lifecycle
from linreg.memory import usable_cores
from tests.bench_command import CPU, QUICK, rows_of, wrong_weight
from tests.conftest import contents

pytestmark = pytest.mark.usefixtures("frozen", "threads")


def test_the_report_has_every_row_and_every_block(report):
    rows = rows_of(report)
    assert list(rows) == CPU
    for name, row in rows.items():
        assert row["problem"] == "", name
        assert row["median_s"] > 0, name
        assert [len(process["block_ns"]) for process in row["processes"]] == [10, 10], name
        assert (row["ratio"] is None) == (name in (REFERENCE, "floor")), name
        assert (row["verdict"] is None) == (name in (REFERENCE, NULL, "floor")), name
    assert [row["name"] for row in report["lifecycle"]] == ["onnxruntime-run", REFERENCE]
    assert report["lifecycle_missing"] == ["torchscript", "torchscript-frozen", "torchscript-trace", "pt2"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_rows_of_cuda_stand_with_the_reason(two_processes, report):
    rows = rows_of(report, "cuda")
    assert set(rows) == {row.name for row in cuda_variants()}
    for row in rows.values():
        assert row["problem"] == f"skipped: torch {torch.__version__} sees no CUDA device"
        assert (row["median_s"], row["processes"]) == (None, [])
    assert f"13 CUDA rows skipped: torch {torch.__version__} sees no CUDA device" in two_processes[0].stderr
    assert "CUDA" not in two_processes[0].stdout


@pytest.mark.parametrize("name", ["target", "batch"])
def test_what_was_asked_is_measured(linreg, bundle, measured, report, name):
    asked = measured(report)
    words = {"target": ["--target", "2.5%"], "batch": ["--batch", "1,64,1"]}[name]
    assert linreg("bench", "-m", bundle, *words).code == 0
    (request,) = asked
    settings = request.settings
    assert settings.target == (0.025 if name == "target" else 0.01)
    assert settings.batches == ((1, 64) if name == "batch" else (1, 4096))
    assert (settings.processes, settings.more_processes, settings.rounds, settings.threads) == (10, 5, None, (1,))


def test_a_wrong_weight_is_struck_out_without_a_latency_and_exits_3(linreg, bundle):
    wrong_weight(bundle / "model.onnx")
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert ended.code == 3
    *_, last = ended.err.splitlines()
    assert last.startswith("error: model.onnx: parameter ")
    assert "differs from the state_dict" in last
    report = json.loads((bundle / "bench.json").read_text())
    for name, row in rows_of(report).items():
        if name in ("onnxruntime-run", "onnxruntime-io_binding"):
            assert "differs from the state_dict" in row["problem"]
            keys = ("median_s", "host_median_s", "rows_per_s", "ratio", "verdict", "worst_error")
            assert [row[key] for key in keys] == [None] * len(keys)
            assert (row["processes"], row["bytes_equal"], row["tails_s"]) == ([], False, {})
            (line,) = [line for line in ended.out.splitlines() if line.startswith(f"│ {name} ")]
            assert "µs" not in line
            assert "ns" not in line.replace("onnxruntime", "")
        else:
            assert (row["problem"], row["median_s"] > 0) == ("", True)
    assert (bundle / "report.html").is_file()


def test_a_wrong_row_has_no_start_either():
    """Its first calls are latencies as well; a row that is skipped on another device is not wrong."""
    names = (REFERENCE, "pt2", "onnxruntime-run")
    variants = {row.name: row for row in cpu_variants() if row.name in names}
    sample = Lifecycle(
        name="",
        import_s=1.0,
        load_s=0.1,
        calls_s=(3e-3, 2e-3, 1e-3),
        steady_s=1e-3,
        calls_until_steady=2,
        memory_bytes=1,
        file_bytes=1,
        threads=1,
    )
    rows = tuple(
        untimed(variants[name], Status.WRONG if name == "pt2" else Status.TIMED, "is wrong" if name == "pt2" else "")
        for name in names
    )
    skipped = tuple(untimed(variant, Status.SKIPPED, "no device") for variant in variants.values())
    comparisons = (
        Comparison(device=Device.CPU, threads=1, onnxruntime_threads=1, batch=1, rows=rows),
        Comparison(device=Device.CUDA, threads=1, onnxruntime_threads=1, batch=1, rows=skipped),
    )
    found = lifecycle_rows(comparisons, [replace(sample, name=name) for name in names])
    assert [row.name for row in found] == [REFERENCE, "onnxruntime-run"]


def test_a_wrong_reference_is_no_report_at_all(linreg, bundle):
    wrong_weight(bundle / "model.onnx")
    before = contents(bundle)
    message = linreg("bench", "-m", bundle, *QUICK, "--reference", "onnxruntime-run").failure(3)
    assert message.endswith("nothing can be compared with it")
    assert contents(bundle) == before


def test_a_bit_of_a_weight_is_seen_though_no_bound_could(linreg, bundle):
    model = onnx.load(bundle / "model.onnx")
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.view(np.int32).flat[0] ^= 1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, bundle / "model.onnx")
    assert linreg("bench", "-m", bundle, *QUICK).code == 3


def test_another_reference(linreg, bundle):
    ended = linreg("bench", "-m", bundle, *QUICK, "--reference", "onnxruntime-run", "--json")
    report = json.loads(ended.out)
    assert report["reference"] == "onnxruntime-run"
    assert list(rows_of(report))[:3] == ["onnxruntime-run", NULL, REFERENCE]
    message = linreg("bench", "-m", bundle, *QUICK, "--reference", "onnx").failure()
    assert "--reference onnx: is not a row; expected one of eager-inference_mode, " in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fail-slower", "3%"], "--fail-slower needs something to compare with"),
        (["--fail-slower", "x", "--compare", "old.json"], "'--fail-slower': got 'x', expected a fraction such as 3%"),
        (["--fail-slower", "3", "--compare", "old.json"], "'--fail-slower': got '3', expected a fraction such as 3%"),
        (["--target", "0"], "'--target': got '0', expected a fraction"),
        (["--target", "100%"], "'--target': got '100%', expected a fraction"),
        (["--target", "nan"], "'--target': got 'nan', expected a fraction"),
        (["--batch", "0"], "'--batch': got '0', expected integers from 1"),
        (["--batch", ""], "'--batch': got '', expected integers"),
        (["--batch", "1,99999999"], "'--batch': got '1,99999999', expected integers from 1 to 1048576"),
        (["--threads", "x"], f"'--threads': got 'x', expected integers from 1 to {usable_cores()}"),
        (["--threads", "2000"], f"'--threads': got '2000', expected integers from 1 to {usable_cores()}"),
        (["--onnxruntime-threads", "2000"], f"'--onnxruntime-threads': got '2000', expected 1 to {usable_cores()}"),
        (["--onnxruntime-threads", "0"], "Invalid value for '--onnxruntime-threads'"),
        (["--against", "c", "--variant", "a.py:b"], "--against times only two artifacts"),
        (["--processes", "0"], "Invalid value for '--processes'"),
        (["--rounds", "9"], "Invalid value for '--rounds'"),
        (["--device", "gpu"], "Invalid value for '--device'"),
        (
            ["--module", "a.py:b", "--against", "c"],
            "--against needs a model of linreg train, and --module names your own",
        ),
        (["--state-dict", "a.pth"], "applies to your own module; name it: --module FILE.py:NAME"),
        (["--input", "x=float32[batch,4]"], "applies to your own module; name it: --module FILE.py:NAME"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2_before_anything(linreg, measured, report, tmp_path, words, message):
    asked = measured(report)
    assert message in linreg("bench", *words).failure(2)
    assert asked == []
    assert contents(tmp_path) == {}


def test_an_artifact_of_a_fixed_batch_is_struck_out_where_it_does_not_run(linreg, bundle):
    assert linreg("export", "-m", bundle, "--static", "--force").code == 0
    ended = linreg("bench", "-m", bundle, "--processes", "1", "--rounds", "10", "--batch", "2", "--json")
    assert ended.code == 3
    problem = rows_of(json.loads(ended.out))["onnxruntime-run"]["problem"]
    assert problem.startswith("onnxruntime-run: batch 2: does not run: ")


@pytest.mark.parametrize("data", [b"", b"\x08\x08"], ids=["empty", "cut"])
def test_a_damaged_artifact_is_struck_out_and_the_others_are_timed(linreg, bundle, data):
    (bundle / "model.onnx").write_bytes(data)
    assert "model.onnx: has sha256" in linreg("bench", "-m", bundle, *QUICK).failure(3)
    (bundle / "manifest.json").unlink()
    ended = linreg("bench", "-m", bundle, *QUICK, "--json")
    assert ended.code == 3
    rows = rows_of(json.loads(ended.out))
    assert "onnxruntime cannot load it" in rows["onnxruntime-run"]["problem"]
    assert rows["onnxruntime-run"]["median_s"] is None
    assert rows["torchscript"]["median_s"] > 0


def test_threads_of_onnxruntime_are_its_own_only_where_that_is_asked(linreg, bundle, monkeypatch):
    for module in ("bench.plan.settings", "linreg.cli.bench_options"):
        monkeypatch.setattr(f"{module}.usable_cores", lambda: 2)
    words = ["-m", bundle, *QUICK, "--device", "cpu"]
    ended = linreg("bench", *words, "--onnxruntime-threads", "2", "-o", "unequal")
    assert ended.code == 0, ended.err
    assert "batch 1, 1 thread (onnxruntime 2), CPU" in ended.out
    value = json.loads(Path("unequal/bench.json").read_text())
    assert (value["comparisons"][0]["threads"], value["comparisons"][0]["onnxruntime_threads"]) == (1, 2)
    assert value["settings"]["onnxruntime_threads"] == 2
    value["settings"]["processes_run"] = 2
    Path("old.json").write_text(json.dumps(value))
    words = ["-m", bundle, "--processes", "2", "--batch", "1", "--compare", "old.json"]
    message = linreg("bench", *words).failure()
    assert "the old report has onnxruntime threads [2], this one [1]; run with the same" in message


@pytest.mark.parametrize(
    "words",
    [
        ["--self-check", "--compare", "x"],
        ["--self-check", "--reference", "pt2"],
        ["--self-check", "--onnxruntime-threads", "1"],
        ["--self-check", "--trust"],
        ["--self-check", "--rounds", "100"],
        ["--self-check", "--device", "cpu"],
        ["--against", "x", "--fail-slower", "3%", "--processes", "1"],
        ["--against", "x/model.pt2", "--onnxruntime-threads", "1"],
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(linreg, words):
    assert linreg("bench", *words).failure(2)
