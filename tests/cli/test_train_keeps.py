"""`linreg train --keep-on-interrupt`, and what train prints beside the learned values."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linreg.checkpoint import load
from tests.conftest import FEATURES, PENGUINS
from tests.cpu_seconds import cpu_seconds

TRAIN = [sys.executable, "-m", "linreg", "train", "--device", "cpu", "--epochs", "100000000", "-o", "bundle"]


def interrupted(folder: Path, *words: str) -> tuple[int, str, str]:
    """Interrupt a real training once its loop runs, as seen by torch in its memory and the CPU time it has had."""
    process = subprocess.Popen([*TRAIN, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    maps = Path(f"/proc/{process.pid}/maps")
    while "libtorch_cpu" not in maps.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    enough_s = cpu_seconds(process.pid) + 6
    while cpu_seconds(process.pid) < enough_s and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_ctrl_c_saves_the_best_so_far_where_asked(tmp_path: Path) -> None:
    code, out, err = interrupted(tmp_path, "--keep-on-interrupt", "--json")
    assert code == 130, err
    assert "saving the parameters with the lowest train loss" in err
    checkpoint = load(tmp_path / "bundle")
    assert checkpoint.card is not None
    assert checkpoint.card.training["interrupted_at"] > 100
    assert checkpoint.card.metrics["train"]["mae"] < 0.02
    assert json.loads(out)["state_sha256"] == checkpoint.state_sha256
    assert (tmp_path / "bundle" / "manifest.json").exists()


def test_ctrl_c_writes_nothing_otherwise(tmp_path: Path) -> None:
    code, out, err = interrupted(tmp_path)
    assert (code, out) == (130, "")
    assert err.count("\n") == 1
    assert "interrupted; nothing was written; with a gradient method, --keep-on-interrupt saves" in err
    assert list(tmp_path.rglob("*")) == []


def test_the_exact_method_has_nothing_to_keep(linreg) -> None:  # type: ignore[no-untyped-def]
    words = ["train", PENGUINS, "--target", "year", "--keep-on-interrupt", "-o", "b"]
    assert "--keep-on-interrupt applies to the gradient methods" in linreg(*words).failure(2)


def test_the_table_rounds_and_json_keeps_all_digits(linreg) -> None:  # type: ignore[no-untyped-def]
    words = ["train", PENGUINS, "--target", "body_mass_g", "--features", FEATURES, "-o"]
    text = linreg(*words, "a").out
    row = next(line for line in text.splitlines() if line.startswith("flipper_length_mm"))
    report = json.loads(linreg(*words, "b", "--json").out)
    entry = next(entry for entry in report["coefficients"] if entry["name"] == "flipper_length_mm")
    assert row.split()[1:3] == [f"{entry['value']:.2f}", f"{entry['standard_error']:.2f}"]
    assert entry["value"] != round(entry["value"], 6)
    assert entry["t"] == pytest.approx(entry["value"] / entry["standard_error"])
    assert entry["interval"][0] < entry["value"] < entry["interval"][1]
    assert 0 <= entry["p"] < 0.001
    assert "95 % interval" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_gradient_method_claims_no_errors(linreg) -> None:  # type: ignore[no-untyped-def]
    ended = linreg("train", PENGUINS, "--target", "body_mass_g", "--method", "lbfgs", "--epochs", "3", "-o", "a")
    assert "std. error" not in ended.out
    assert "interval" not in ended.out
