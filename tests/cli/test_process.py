"""The command line in processes of its own: streams, signals, locales, and whole jobs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import linreg
from tests.cli.test_main import one_line
from tests.conftest import PENGUINS

LINREG = [sys.executable, "-m", "linreg"]


def start(*words: object, cwd: Path, **settings) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = {**os.environ, **settings.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.run([*LINREG, *map(str, words)], cwd=cwd, text=True, env=environment, timeout=120, **streams)


@pytest.mark.parametrize("words", [["--help"], ["predict", PENGUINS, "-m", "model.onnx"]], ids=["text", "csv"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_line(penguins, words, unbuffered):
    with Path("/dev/full").open("w") as full:
        ended = start(*words, cwd=penguins, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert ended.returncode == 1
    errors = [line for line in ended.stderr.splitlines() if not line.startswith("note: ")]
    assert errors == ["error: stdout cannot be written: No space left on device; redirect it elsewhere, or make room"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_silence(penguins, tmp_path, unbuffered):
    table = tmp_path / "long.csv"
    table.write_text("bill_length_mm,bill_depth_mm,flipper_length_mm\n" + "39.1,18.7,181\n" * 50_000)
    process = subprocess.Popen(
        [*LINREG, "predict", str(table), "-m", str(penguins / "model.onnx")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert process.stdout and process.stderr
    assert os.read(process.stdout.fileno(), 10) == b'"bill_leng'
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 141, "as of a program that SIGPIPE ends"


def test_closed_streams_of_a_real_process(tmp_path):
    command = f"{sys.executable} -m linreg"
    script = f"{command} --help >&- ; echo $?; {command} zzz 2>&- ; echo $?; {command} --version 2>&- ; echo $?"
    ended = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ended.stdout.split() == ["1", "2", "linreg", linreg.__version__, "0"]
    assert "stdout is closed" in one_line(ended.stderr)


def test_interrupted_training_leaves_nothing(tmp_path):
    process = subprocess.Popen(
        [*LINREG, "train", "--epochs", "100000000", "-o", "bundle"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)  # torch is loaded, the loop runs
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in one_line(err)
    assert list(tmp_path.rglob("*")) == []


def test_a_benchmark_that_is_terminated_leaves_no_folder_and_no_process(penguins, tmp_path):
    (tmp_path / "temporary").mkdir()
    process = subprocess.Popen(
        [*LINREG, "bench", "-m", str(penguins), "-o", "out", "--device", "cpu"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (jobs := list((tmp_path / "temporary").glob("*/job.json"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert jobs, "a process of the benchmark has been started"
    process.terminate()
    assert process.wait(60) == 143
    assert list((tmp_path / "temporary").glob("linreg-*")) == []  # onnxruntime leaves a file of its own, .ses
    assert list(tmp_path.glob("out/*")) == []
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(str(jobs[0]).encode() in words for words in running)


def test_an_interruption_anywhere_exits_130(tmp_path):
    code = (
        "import export.bundle.verify, sys; from linreg.cli.main import main; sys.argv = ['linreg', 'verify', '.'];"
        "export.bundle.verify.checked_manifest = lambda *_: exec('raise KeyboardInterrupt'); main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert "interrupted" in one_line(ended.stderr)


def test_an_old_locale_and_no_colours(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("größe,y€\n1,2\n2,3\n3,5\n4,5\n5,7\n6,9\n7,8\n")
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "TERM": "dumb"}
    ended = start("train", table, "--target", "y€", "-o", "b", cwd=tmp_path, env=plain)
    assert (ended.returncode, "\x1b" in ended.stdout + ended.stderr) == (0, False)
    assert r"gr\xf6\xdfe" in ended.stdout
    assert json.loads((tmp_path / "b" / "card.json").read_text("utf-8"))["features"] == ["größe"]


def test_exporting_in_an_empty_folder_works_by_itself(tmp_path):
    ended = start("export", "--format", "onnx", cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stderr.startswith("no model given and artifacts/linreg is missing: training the line")
    assert sorted(path.name for path in (tmp_path / "artifacts" / "linreg").iterdir()) == [
        "SHA256SUMS",
        "card.json",
        "data.json",
        "manifest.json",
        "model.onnx",
        "model.pth",
        *(f"test_data_set_{place}" for place in range(5)),
    ]


def test_the_demo_does_everything(tmp_path):
    ended = start("demo", "-o", "demo", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for bundle in ("line", "penguins"):
        names = {path.name for path in (tmp_path / "demo" / bundle).iterdir()}
        assert {"model.pth", "model.onnx", "model.torchscript", "bench.json", "predictions.png"} <= names
    assert "error" not in ended.stderr
    again = start("demo", "-o", "demo", cwd=tmp_path)
    assert again.returncode == 1
    assert "demo/line: already exists; use --force" in one_line(again.stderr)
