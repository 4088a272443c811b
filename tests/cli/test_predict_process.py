"""`linreg predict` in processes of its own: memory that does not grow with the rows, readers that leave, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.test_process import LINREG

HEADER = "bill_length_mm,bill_depth_mm,flipper_length_mm\n"
ROW = "39.1,18.7,181\n"


def peak_mb(*words: object) -> float:
    """The peak resident memory of a command that must succeed."""
    process = subprocess.Popen([*LINREG, *map(str, words)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 2**10


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out/"])
def test_ten_times_the_rows_take_the_same_memory(penguins, tmp_path, name):
    for rows in (200_000, 2_000_000):
        (tmp_path / f"{rows}.csv").write_text(HEADER + ROW * rows)
    few, many = (
        peak_mb(
            "predict", tmp_path / f"{rows}.csv", "-m", penguins / "model.onnx", "-o", f"{tmp_path / str(rows)}{name}"
        )
        for rows in (200_000, 2_000_000)
    )
    assert many - few < 60, "the table alone is 48 MB of float64, and 28 MB of text"


def test_a_reader_that_takes_one_line_ends_it_in_silence(penguins, tmp_path):
    (tmp_path / "long.csv").write_text(HEADER + ROW * 400_000)
    process = subprocess.Popen(
        [*LINREG, "predict", "long.csv", "-m", str(penguins / "model.onnx"), "-o", "-"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout and process.stderr
    assert process.stdout.readline().startswith(b'"bill_length_mm"')
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 141


@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")])
def test_an_interrupted_command_says_that_stdout_is_cut(penguins, tmp_path, number, how):
    (tmp_path / "long.csv").write_text(HEADER + ROW * 400_000)
    process = subprocess.Popen(
        [*LINREG, "predict", "long.csv", "-m", str(penguins / "model.onnx")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline().startswith(b'"bill_length_mm"')
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.decode() == f"error: {how}; stdout got only the first rows, and the last of them may be cut\n"


@pytest.mark.parametrize("name", ["out.csv.gz", "out/"])
def test_an_interrupted_command_leaves_nothing(penguins, tmp_path, name):
    (tmp_path / "long.csv").write_text(HEADER + ROW * 6_000_000)
    process = subprocess.Popen(
        [*LINREG, "predict", "long.csv", "-m", str(penguins / "model.onnx"), "-o", name],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not any(tmp_path.glob(".*.linreg-tmp")) and not any(tmp_path.glob("out/.*/1")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "error: interrupted" in err
    assert [path.name for path in tmp_path.iterdir()] == ["long.csv"]


def test_a_table_comes_from_a_pipe(penguins, tmp_path):
    words = [*LINREG, "predict", "-", "-m", str(penguins / "model.onnx")]
    ended = subprocess.run(words, cwd=tmp_path, input=HEADER + ROW * 2, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr, len(ended.stdout.splitlines())) == (0, "", 3)


def test_an_onnx_file_is_opened_once(penguins, tmp_path):
    """So the bytes that were hashed are the bytes that run."""
    (tmp_path / "t.csv").write_text(HEADER + ROW)
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from linreg.cli.main import main
sys.argv = ["linreg", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code
print(sum(name.endswith("model.onnx") for name in opened), file=sys.stderr)
"""
    words = [sys.executable, "-c", script, "predict", "t.csv", "-m", str(penguins / "model.onnx")]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.stderr == "1\n"
