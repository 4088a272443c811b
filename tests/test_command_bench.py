"""`linreg bench`: what is written and shown, how a wrong or a slow row ends, and what is refused."""

import gc
import json
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import linreg.commands.bench as linreg_bench
from bench.benchmark import Report
from bench.comparison import Comparison, Row
from bench.job import Device
from bench.lifecycle import Lifecycle
from bench.report import lifecycle_rows
from bench.variants import NULL, REFERENCE, cpu_variants, cuda_variants
from linreg.commands.bench import cores
from linreg.config import BenchSettings
from tests.bench_reports import HOSTILE
from tests.conftest import contents

NETS = Path(__file__).parent / "nets.py"
QUICK = ["--processes", "1", "--rounds", "10", "--batch", "1"]
WRITTEN = {"bench.json", "report.html"}
CPU = [REFERENCE, NULL, *(row.name for row in cpu_variants() if row.name != REFERENCE)]


@pytest.fixture(autouse=True, scope="module")
def frozen():
    """A measurement collects garbage first: less of it is looked at, so that the tests are quick."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def threads():
    """`bench` gives torch one thread; the tests after it have the old number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def two_processes(penguins, tmp_path_factory):
    """The real command in two processes: how it ended, and the folder where it ran."""
    folder = tmp_path_factory.mktemp("two-processes")
    words = ["-m", penguins, "--processes", "2", "--rounds", "10", "--batch", "1", "-o", "out", "--plots", "plots"]
    command = [sys.executable, "-m", "linreg", "bench", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False), folder


@pytest.fixture
def report(two_processes):
    """What it reported; a copy that a test may change."""
    return json.loads((two_processes[1] / "out" / "bench.json").read_text())


@pytest.fixture
def measured(monkeypatch):
    """Let `measure` give a report made before; it records what was asked."""

    def give(report):
        asked, kept = [], deepcopy(report)
        monkeypatch.setattr(linreg_bench, "measure", lambda request: asked.append(request) or deepcopy(kept))
        return asked

    return give


def rows_of(report, device="cpu"):
    """The rows of the first comparison of a device, by name."""
    comparison = next(entry for entry in report["comparisons"] if entry["device"] == device)
    return {row["name"]: row for row in comparison["rows"]}


def change_ratios(report, name, factor):
    """Multiply every ratio of one row, in every process and over them."""
    row = rows_of(report)[name]
    for ratio in (row["ratio"], *(process["ratio"] for process in row["processes"])):
        for key, value in ratio.items():
            ratio[key] = None if value is None else value * factor


def level(report, name):
    """Let every process have found the same ratio, so that its change is known exactly."""
    row = rows_of(report)[name]
    for process in row["processes"]:
        process["ratio"] = deepcopy(row["ratio"])


def wrong_weight(path: Path) -> None:
    """Plant one wrong weight in an ONNX file."""
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[1] *= np.float32(1.001)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)


def test_the_files_that_are_written(two_processes, report):
    ended, folder = two_processes
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in folder.iterdir()} == {"out", "plots"}
    assert {path.name for path in (folder / "out").iterdir()} == WRITTEN
    kinds = {path.suffix for path in (folder / "plots").iterdir()}
    assert kinds == {".svg", ".png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (folder / "plots").glob("*.png"))
    for path in (*(folder / "out").iterdir(), *(folder / "plots").iterdir()):
        assert f"saved: {path.relative_to(folder)}" in ended.stdout
    assert report["scope"] == "2 processes"
    assert report["settings"]["processes_run"] == 2
    assert report["command"][:3] == ["linreg", "bench", "-m"]


def test_the_report_has_every_row_and_every_block(report):
    rows = rows_of(report)
    assert list(rows) == CPU
    for name, row in rows.items():
        assert row["problem"] == "", name
        assert row["median_s"] > 0, name
        assert [len(process["block_ns"]) for process in row["processes"]] == [10, 10], name
        assert (row["ratio"] is None) == (name in (REFERENCE, "floor")), name
        assert (row["verdict"] is None) == (name in (REFERENCE, NULL, "floor")), name
    assert [row["name"] for row in report["lifecycle"]] == [REFERENCE, "torchscript"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_rows_of_cuda_stand_with_the_reason(two_processes, report):
    rows = rows_of(report, "cuda")
    assert set(rows) == {row.name for row in cuda_variants()}
    for row in rows.values():
        assert row["problem"] == f"skipped: torch {torch.__version__} sees no CUDA device"
        assert (row["median_s"], row["processes"]) == (None, [])
    assert "cuda-graph" in two_processes[0].stderr
    assert "CUDA" not in two_processes[0].stdout


def test_the_table_and_where_it_comes_from(two_processes):
    out = two_processes[0].stdout
    assert f"batch 1, 1 thread, CPU, 2 processes; ratios to {REFERENCE}" in out
    assert "from the start of a fresh process" in out
    for name in CPU:
        assert f"│ {name} " in out


def test_the_report_goes_into_the_bundle_and_is_replaced(linreg, bundle):
    before = contents(bundle)
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert ended.code == 0, ended.err
    after = contents(bundle)
    assert set(after) - set(before) == WRITTEN
    assert {name: after[name] for name in before} == before
    assert "this process only" in ended.out
    assert linreg("bench", "-m", bundle, *QUICK).code == 0
    again = contents(bundle)
    assert again["bench.json"] != after["bench.json"]
    assert linreg("verify", bundle).code == 0


@pytest.mark.parametrize("name", ["target", "batch"])
def test_what_was_asked_is_measured(linreg, bundle, measured, report, name):
    asked = measured(report)
    words = {"target": ["--target", "2.5%"], "batch": ["--batch", "1,64,1"]}[name]
    assert linreg("bench", "-m", bundle, *words).code == 0
    (request,) = asked
    settings = request.settings
    assert settings.target == (0.025 if name == "target" else 0.01)
    assert settings.batches == ((1, 64) if name == "batch" else (1, 4096))
    assert (settings.processes, settings.more_processes, settings.rounds, settings.threads) == (10, 5, 100, (1,))


def test_a_wrong_weight_is_struck_out_without_a_latency_and_exits_3(linreg, bundle):
    wrong_weight(bundle / "model.onnx")
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert ended.code == 3
    *_, last = ended.err.splitlines()
    assert last.startswith("error: model.onnx: parameter ")
    assert "has other bits than the state_dict" in last
    report = json.loads((bundle / "bench.json").read_text())
    for name, row in rows_of(report).items():
        if name in ("onnxruntime-run", "onnxruntime-io_binding"):
            assert "has other bits" in row["problem"]
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
    )
    rows = tuple(Row(variant=variants[name], problem="is wrong" if name == "pt2" else "") for name in names)
    skipped = tuple(Row(variant=variant, problem="skipped: no device") for variant in variants.values())
    report = Report(
        state_sha256="",
        settings=BenchSettings(),
        processes=3,
        comparisons=(
            Comparison(device=Device.CPU, threads=1, onnxruntime_threads=1, batch=1, rows=rows),
            Comparison(device=Device.CUDA, threads=1, onnxruntime_threads=1, batch=1, rows=skipped),
        ),
        lifecycles=tuple(replace(sample, name=name) for name in names),
        preempted=0,
        stolen_s=0.0,
        duration_s=1.0,
        environment={},
    )
    assert [row["name"] for row in lifecycle_rows(report)] == [REFERENCE, "onnxruntime-run"]


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
    assert "--reference onnx: is no row; expected one of eager-inference_mode, " in message


def test_json_is_one_object_and_the_same_as_the_file(linreg, bundle):
    ended = linreg("bench", "-m", bundle, *QUICK, "--threads", "1,2", "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert report == json.loads((bundle / "bench.json").read_text())
    assert f"saved: {bundle / 'bench.json'}" in ended.err
    assert report["settings"]["threads"] == [1, 2]
    cpu = [entry for entry in report["comparisons"] if entry["device"] == "cpu"]
    assert [(entry["threads"], len(entry["rows"])) for entry in cpu] == [(1, len(CPU)), (2, len(CPU))]


def test_markdown_is_tables_alone(linreg, bundle, measured, report):
    measured(report)
    ended = linreg("bench", "-m", bundle, "--markdown")
    assert ended.code == 0
    assert ended.out.startswith(f"**batch 1, 1 thread, CPU, 2 processes; ratios to {REFERENCE}**\n\n| variant |")
    table = [line for line in ended.out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(CPU) + 2 + 2
    assert "saved" not in ended.out
    assert f"saved: {bundle / 'report.html'}" in ended.err


def test_an_old_report_that_was_30_times_as_fast_fails_the_gate(linreg, penguins, report, tmp_path):
    """Measured anew, in two processes, against a report in which one row was 30 times as fast."""
    change_ratios(report, "torchscript", 1 / 30)
    (tmp_path / "old.json").write_text(json.dumps(report))
    words = ["-m", penguins, "--processes", "2", "--rounds", "10", "--batch", "1", "-o", "new"]
    ended = linreg("bench", *words, "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 4, ended.err
    *_, last = ended.err.splitlines()
    assert last.startswith("error: torchscript at batch 1 is ")
    assert "allowed 3.0%" in last
    (line,) = [line for line in ended.out.splitlines() if line.startswith("│ torchscript ") and "cpu 1 x 1" in line]
    assert "slower" in line
    assert {path.name for path in Path("new").iterdir()} == WRITTEN


@pytest.mark.parametrize(
    ("factor", "limit", "code"), [(1 / 1.5, "3%", 4), (1 / 1.5, "0.6", 0), (1.5, "3%", 0), (1.0, "3%", 0)]
)
def test_the_gate_judges_ratios(linreg, penguins, report, measured, tmp_path, factor, limit, code):
    for row in rows_of(report).values():
        if row["ratio"] is not None:
            level(report, row["name"])
    measured(report)
    change_ratios(report, "pt2", factor)
    (tmp_path / "old.json").write_text(json.dumps(report))
    words = ["-m", penguins, "-o", "new", "--compare", "old.json"]
    ended = linreg("bench", *words, "--fail-slower", limit)
    assert ended.code == code, ended.err
    (line,) = [line for line in ended.out.splitlines() if line.startswith("│ pt2 ") and "cpu 1 x 1" in line]
    assert f"{1 / factor:.3f}" in line
    if code == 4:
        *_, last = ended.err.splitlines()
        assert last == (
            "error: pt2 at batch 1 is 50.0% slower (+50.0% to +50.0%), allowed 3.0%; "
            f"1 of {sum(row['ratio'] is not None and row['answers'] for row in rows_of(report).values())} rows are"
        )
    assert linreg("bench", *words).code == 0, "without --fail-slower it is only shown"


def test_a_wrong_row_comes_before_a_slow_one(linreg, penguins, report, measured, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(report))
    rows_of(report)["pt2"]["problem"] = "pt2: is wrong"
    change_ratios(report, "torchscript", 30)
    measured(report)
    ended = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == "error: pt2: is wrong"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda old: old["environment"].update(processor="another"), "of processor 'another'"),
        (lambda old: old["environment"].update(cores=96), "of cores 96"),
        (lambda old: old["settings"].update(threads=[1, 2]), "run with the same --threads"),
        (lambda old: old.update(reference="pt2"), "use --reference pt2"),
        (lambda old: old["comparisons"][0].update(batch=3), "no row in common"),
    ],
    ids=["processor", "cores", "threads", "reference", "batch"],
)
def test_reports_that_cannot_be_compared_are_refused(linreg, penguins, report, measured, tmp_path, change, message):
    measured(report)
    change(report)
    (tmp_path / "old.json").write_text(json.dumps(report))
    ended = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 1
    *_, last = ended.err.splitlines()
    assert last.startswith("error: --compare: ")
    assert message in last


def test_one_process_is_not_enough_to_be_compared(linreg, penguins, report, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(report))
    ended = linreg("bench", "-m", penguins, "-o", "new", *QUICK, "--compare", "old.json")
    assert ended.code == 1
    assert "--compare: needs two processes or more" in ended.err


@pytest.mark.parametrize("text", ['{"schema_version": 1, "comparisons": []}', '{"mine": 1}', "[1]", "text", ""])
def test_what_is_no_report_is_refused_before_the_work(linreg, penguins, measured, report, tmp_path, text):
    asked = measured(report)
    (tmp_path / "old.json").write_text(text)
    message = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json").failure()
    assert "old.json" in message
    assert asked == []
    assert not Path("new").exists()


def test_the_report_that_is_compared_with_stays(linreg, bundle, report, measured):
    measured(report)
    (bundle / "bench.json").write_text(json.dumps(report))
    before = contents(bundle)
    ended = linreg("bench", "-m", bundle, "--compare", bundle / "bench.json")
    assert ended.code == 0
    assert "is what this run is compared with: it stays as it is; use -o for the new one" in ended.err
    assert contents(bundle) == before
    linked = bundle / "link.json"
    linked.symlink_to("bench.json")
    assert linreg("bench", "-m", bundle, "--compare", linked, "--force").code == 0
    assert (bundle / "bench.json").read_bytes() == before["bench.json"]


def test_two_artifacts_of_one_format(linreg, bundle, tmp_path):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    before = contents(tmp_path)
    ended = linreg("bench", "-m", bundle, "--against", other / "model.onnx", *QUICK, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["reference"] == "against"
    assert list(rows_of(report)) == ["against", NULL, "this", "floor"]
    assert rows_of(report)["this"]["kind"] == "onnxruntime-run"
    assert contents(tmp_path) == before, "a report of two bundles belongs to neither"


def test_a_release_that_is_slower_than_the_one_before_exits_4(linreg, bundle, tmp_path, report, measured):
    shutil.copytree(bundle, tmp_path / "other")
    for name, row in rows_of(report).items():
        if row["verdict"] is not None:
            change_ratios(report, name, 1 / row["ratio"]["estimate"])
            row["ratio"].update(low=0.99, high=1.01)
    rows_of(report)["pt2"]["ratio"].update(estimate=1.05, low=1.01, high=1.09)
    measured(report)
    words = ["-m", bundle, "--against", "other/model.onnx"]
    ended = linreg("bench", *words, "--fail-slower", "3%")
    assert ended.code == 4
    assert "error: pt2 at batch 1 is 5.0% slower (+1.0% to +9.0%), allowed 3.0%; 1 of 10 rows are" in ended.err
    assert linreg("bench", *words, "--fail-slower", "6%").code == 0


def test_what_a_model_cannot_be_timed_against(linreg, bundle, tmp_path, monkeypatch):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    (tmp_path / "alone").mkdir()
    shutil.copy(other / "model.onnx", "alone")
    for path, text in {
        "alone/model.onnx": "alone/model.onnx: there is no model.pth beside it",
        "other/model.pth": "expected an artifact in its bundle, such as other/model.onnx",
        "other/model.float64.onnx": "no such bundle or file",
        "other": "expected an artifact in its bundle",
    }.items():
        assert text in linreg("bench", "-m", bundle, "--against", path, *QUICK).failure()
    wrong_weight(other / "model.onnx")
    message = linreg("bench", "-m", bundle, "--against", "other/model.onnx", *QUICK).failure(3)
    assert "against-model.onnx: parameter" in message
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    message = linreg("bench", "-m", bundle, "--against", "other/model.pt2", *QUICK).failure()
    assert "other/model.pt2: is a program that this user did not export; if you trust it, add --trust" in message
    assert linreg("bench", "-m", bundle, "--against", "other/model.pt2", "--trust", *QUICK).code == 0


def test_a_module_of_ones_own(linreg, tmp_path):
    words = ["--module", f"{NETS}:make_two_towers", "--input", "user=float32[batch,4]", "--input"]
    words += ["item=float32[batch,6]", *QUICK, "--json"]
    ended = linreg("bench", *words, "-o", "net")
    assert ended.code == 0, ended.err
    assert f"running {NETS}" in ended.err
    assert {path.name for path in Path("net").iterdir()} == WRITTEN
    assert list(rows_of(json.loads(ended.out))) == CPU
    assert linreg("export", *words[:-1][:6], "-o", "exported").code == 0
    before = contents(tmp_path)
    again = linreg("bench", *words, "--state-dict", "exported/model.pth")
    assert again.code == 0, again.err
    assert json.loads(again.out)["state_sha256"] == json.loads(ended.out)["state_sha256"]
    assert contents(tmp_path) == before, "without -o it is only shown"


def test_a_module_with_random_parameters_is_one_module(linreg):
    """Each row makes it anew, and each must have the same parameters."""
    ended = linreg("bench", "--module", f"{NETS}:Mlp", "--input", "x=float32[batch,16]", *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert {row["problem"] for row in rows_of(json.loads(ended.out)).values()} == {""}


def test_a_module_without_inputs_or_with_a_wrong_state_is_one_line(linreg, bundle):
    words = ["--module", f"{NETS}:make_mlp", *QUICK]
    assert "say what it takes, one --input for each argument" in linreg("bench", *words).failure()
    words += ["--input", "x=float32[batch,16]"]
    message = linreg("bench", *words, "--state-dict", bundle / "model.pth").failure()
    assert f"{bundle / 'model.pth'}: " in message
    assert "has no 'nothing'" in linreg("bench", "--module", f"{NETS}:nothing", *words[2:]).failure()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fail-slower", "3%"], "--fail-slower needs something to compare with"),
        (["--fail-slower", "x", "--compare", "old.json"], "--fail-slower: got 'x', expected a part such as 3%"),
        (["--fail-slower", "3", "--compare", "old.json"], "--fail-slower: got '3', expected a part such as 3%"),
        (["--target", "0"], "--target: got '0', expected a part"),
        (["--target", "100%"], "--target: got '100%', expected a part"),
        (["--target", "nan"], "--target: got 'nan', expected a part"),
        (["--batch", "0"], "--batch: got '0', expected whole numbers from 1"),
        (["--batch", ""], "--batch: got '', expected whole numbers"),
        (["--batch", "1,99999999"], "--batch: got '1,99999999', expected whole numbers from 1 to 1048576"),
        (["--threads", "x"], f"--threads: got 'x', expected whole numbers from 1 to {cores()}"),
        (["--threads", "2000"], f"--threads: got '2000', expected whole numbers from 1 to {cores()}"),
        (["--onnxruntime-threads", "2000"], f"--onnxruntime-threads: got 2000, expected at most {cores()}"),
        (["--onnxruntime-threads", "0"], "Invalid value for '--onnxruntime-threads'"),
        (["--against", "c", "--variant", "a.py:b"], "--against times two artifacts alone"),
        (["--processes", "0"], "Invalid value for '--processes'"),
        (["--rounds", "9"], "Invalid value for '--rounds'"),
        (["--device", "gpu"], "Invalid value for '--device'"),
        (["--module", "a.py:b", "-m", "c"], "--module takes no --model and no --against"),
        (["--module", "a.py:b", "--against", "c"], "--module takes no --model and no --against"),
        (["--state-dict", "a.pth"], "belong to a module of your own: --module FILE.py:NAME"),
        (["--input", "x=float32[batch,4]"], "belong to a module of your own: --module FILE.py:NAME"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2_before_anything(linreg, measured, report, tmp_path, words, message):
    asked = measured(report)
    assert message in linreg("bench", *words).failure(2)
    assert asked == []
    assert contents(tmp_path) == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there_is_one_line(linreg, bundle):
    before = contents(bundle)
    message = linreg("bench", "-m", bundle, *QUICK, "--device", "cuda").failure()
    assert "--device cuda: this torch sees no CUDA device" in message
    assert contents(bundle) == before


def test_the_cpu_alone(linreg, bundle):
    ended = linreg("bench", "-m", bundle, *QUICK, "--device", "cpu", "--json")
    assert {entry["device"] for entry in json.loads(ended.out)["comparisons"]} == {"cpu"}


@pytest.mark.parametrize("text", ['{"mine": 1}', "[1]", "text", ""])
def test_a_file_that_is_not_ours_is_not_overwritten(linreg, bundle, measured, report, text):
    asked = measured(report)
    (bundle / "bench.json").write_text(text)
    message = linreg("bench", "-m", bundle).failure()
    assert "bench.json: is there and was not written by linreg; move it away, or use --force" in message
    assert (bundle / "bench.json").read_text() == text
    assert asked == [], "seen before the work"
    assert linreg("bench", "-m", bundle, "--force").code == 0
    assert json.loads((bundle / "bench.json").read_text()) == report


def test_a_folder_in_the_place_of_the_report_is_one_line(linreg, bundle, measured, report):
    measured(report)
    (bundle / "bench.json").mkdir()
    assert "bench.json: is there and was not written by linreg" in linreg("bench", "-m", bundle).failure()
    ended = linreg("bench", "-m", bundle, "--force", "--json")
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(f"error: {bundle / 'bench.json'}: ")


def test_plots_go_where_they_are_asked_and_nowhere_else(linreg, bundle, measured, report, tmp_path):
    measured(report)
    (tmp_path / "file").write_text("mine")
    assert "file: is a file, expected a folder" in linreg("bench", "-m", bundle, "--plots", "file").failure()
    assert linreg("bench", "-m", bundle, "--plots", "deep/er").code == 0
    assert {path.suffix for path in Path("deep/er").iterdir()} == {".svg", ".png"}
    assert not list(bundle.glob("*.svg"))


def test_a_model_that_is_not_there_is_one_line(linreg, bundle):
    assert "no such bundle or file" in linreg("bench", "-m", "missing", *QUICK).failure()
    message = linreg("bench", "-m", bundle / "model.onnx", *QUICK).failure()
    assert "is an exported file, and this command needs its bundle" in message


def test_an_artifact_of_a_fixed_batch_is_struck_out_where_it_does_not_run(linreg, bundle):
    assert linreg("export", "-m", bundle, "--static", "--force").code == 0
    ended = linreg("bench", "-m", bundle, "--processes", "1", "--rounds", "10", "--batch", "2", "--json")
    assert ended.code == 3
    problem = rows_of(json.loads(ended.out))["onnxruntime-run"]["problem"]
    assert problem.startswith("onnxruntime-run: batch 2: does not run, expected an answer: ")


def test_hostile_names_do_no_harm(linreg, tmp_path):
    names = [name for name in HOSTILE if name and "\n" not in name][:6]
    lines = [",".join('"' + name.replace('"', '""') + '"' for name in names)]
    values = np.random.default_rng(1).standard_normal((30, len(names)))
    lines += [",".join(f"{value:.3f}" for value in row) for row in values]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    folder = "b <script>alert(1)</script>"[:12] + "\x1b[31m"
    trained = linreg("train", "table.csv", "--target", names[0], "-o", folder)
    assert trained.code == 0, trained.err
    for more in ([], ["--markdown"], ["--json"]):
        ended = linreg("bench", "-m", folder, *QUICK, *more)
        assert ended.code == 0, ended.err
        assert "\x1b" not in ended.out + ended.err
    page = (tmp_path / folder / "report.html").read_text()
    assert "\x1b" not in page
    assert "b <script" not in page
    assert json.loads((tmp_path / folder / "bench.json").read_text())["command"][3] == folder


MODULE = """
import sys
from torch import nn

print("making")


class Net(nn.Linear):
    def forward(self, x):
        print("forward")
        return super().forward(x)


def make():
    return Net(3, 1)


def leave():
    raise SystemExit(0)
"""


def test_a_module_by_a_relative_path_that_prints_leaves_one_json_object(linreg, tmp_path):
    (tmp_path / "printing_net.py").write_text(MODULE)
    words = ["--module", "printing_net.py:make", "--input", "x=float32[batch,3]"]
    ended = linreg("bench", *words, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["state_sha256"]
    assert "forward" in ended.err


def test_a_module_that_leaves_is_an_error_and_not_our_exit_code(linreg, tmp_path):
    (tmp_path / "leaving_net.py").write_text(MODULE)
    words = ["--module", "leaving_net.py:leave", "--input", "x=float32[batch,3]"]
    assert "cannot be made without arguments: SystemExit" in linreg("bench", *words, *QUICK, "--json").failure()


@pytest.mark.parametrize("data", [b"", b"\x08\x08"], ids=["empty", "cut"])
def test_a_damaged_artifact_is_struck_out_and_the_others_are_timed(linreg, bundle, data):
    (bundle / "model.onnx").write_bytes(data)
    ended = linreg("bench", "-m", bundle, *QUICK, "--json")
    assert ended.code == 3
    rows = rows_of(json.loads(ended.out))
    assert "onnxruntime cannot load it" in rows["onnxruntime-run"]["problem"]
    assert rows["onnxruntime-run"]["median_s"] is None
    assert rows["torchscript"]["median_s"] > 0


def test_a_page_or_figure_of_somebody_else_is_not_overwritten(linreg, bundle, tmp_path):
    plots = ["-o", "free", "--plots", "own"]
    for name, words in {
        "report.html": ["-o", "own"],
        "ratios-cpu-1thread-batch1.svg": plots,
        "latency-cpu-1thread.png": plots,
        "lifecycle.png": plots,
    }.items():
        shutil.rmtree(tmp_path / "own", ignore_errors=True)
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / name).write_text("mine")
        assert f"{name}: is there and was not written by linreg" in linreg("bench", "-m", bundle, *words).failure()
        assert (tmp_path / "own" / name).read_text() == "mine"


def test_other_pictures_may_stand_beside_the_plots(linreg, bundle, tmp_path, measured, report):
    measured(report)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "logo.png").write_text("mine")
    for _ in range(2):  # its own plots are drawn over
        assert linreg("bench", "-m", bundle, "-o", "free", "--plots", "docs").code == 0
    assert (tmp_path / "docs" / "logo.png").read_text() == "mine"
    assert len(list((tmp_path / "docs").iterdir())) > 3


VARIANTS = """
from dataclasses import replace

import numpy as np

from export.runners import Call, Runner, torch_runner
from linreg.checkpoint import load


def mine():
    return torch_runner("mine", load({bundle!r}).model)


def off():
    runner = mine()

    def bind(inputs):
        call = runner.bind(inputs)
        return replace(call, outputs=lambda: tuple(output + 1 for output in call.outputs()))

    return replace(runner, bind=bind)


def refuses():
    def bind(inputs):
        raise ValueError("only\\nmy own inputs")

    return Runner(name="refuses", bind=bind, parameters=dict)
"""


def test_rows_of_ones_own_beside_the_others(linreg, bundle, tmp_path):
    (tmp_path / "rows.py").write_text(VARIANTS.replace("{bundle!r}", f"__import__('pathlib').Path({str(bundle)!r})"))
    words = ["-m", bundle, *QUICK, "--device", "cpu", "--json"]
    ended = linreg("bench", *words, "--variant", "rows.py:mine")
    assert ended.code == 0, ended.err
    row = rows_of(json.loads(ended.out))["mine"]
    assert (row["kind"], row["origin"], row["bytes_equal"], row["problem"]) == ("factory", None, True, "")
    assert row["median_s"] > 0
    ended = linreg("bench", *words, "--variant", "rows.py:off", "--variant", "rows.py:refuses")
    assert ended.code == 3
    rows = rows_of(json.loads(ended.out))
    assert "expected" in rows["off"]["problem"]
    assert rows["refuses"]["problem"] == (
        "refuses: batch 1: does not take its inputs, expected an answer: only my own inputs"
    )
    assert (rows["off"]["median_s"], rows["refuses"]["median_s"]) == (None, None)
    assert rows["pt2"]["median_s"] > 0
    assert "there is another row called pt2" in linreg("bench", *words, "--variant", "rows.py:pt2").failure()
    assert "has no 'gone'" in linreg("bench", *words, "--variant", "rows.py:gone").failure()


def test_threads_of_onnxruntime_are_its_own_only_where_that_is_asked(linreg, bundle, monkeypatch):
    monkeypatch.setattr(linreg_bench, "cores", lambda: 2)
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
    assert "the old report is of --onnxruntime-threads 2, this one of as torch; run with the same" in message


def test_a_program_that_is_not_ours_is_told_to_be_made_anew(linreg, bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert "model.torchscript: is a program that this user did not export; its row is the same made anew" in ended.err
    found = rows_of(json.loads((bundle / "bench.json").read_text()))
    assert {name: row["origin"] for name, row in found.items() if row["origin"]} == {
        "torchscript": "rebuilt",
        "torchscript-frozen": "rebuilt",
        "torchscript-trace": "rebuilt",
        "pt2": "rebuilt",
        "onnxruntime-run": "bundle",
        "onnxruntime-io_binding": "bundle",
    }
    trusted = linreg("bench", "-m", bundle, *QUICK, "--trust")
    assert "did not export" not in trusted.err
    found = rows_of(json.loads((bundle / "bench.json").read_text()))
    assert {row["origin"] for row in found.values()} == {None, "bundle"}


@pytest.mark.parametrize(
    "words", [["--self-check", "--compare", "x"], ["--against", "x", "--fail-slower", "3%", "--processes", "1"]]
)
def test_options_that_do_not_go_together_are_wrong_usage(linreg, words):
    assert linreg("bench", *words).failure(2)


def test_a_report_names_no_folder_of_the_command(linreg, bundle, tmp_path):
    ended = linreg("bench", "-m", bundle, *QUICK, "-o", "own", f"--plots={tmp_path / 'plots'}")
    assert ended.code == 0, ended.err
    for name in ("bench.json", "report.html"):
        assert str(tmp_path) not in (tmp_path / "own" / name).read_text()
