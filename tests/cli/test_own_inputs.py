"""`--inputs` and `--keep-inputs` of export, and `--inputs` of bench."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench_command import QUICK, rows_of
from tests.conftest import contents

CODE = """
import torch
from torch import nn

def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU())

def make_inputs():
    print("reading")
    yield {"input": torch.ones(2, 4)}
    yield torch.ones(3, 4)
"""
NET = ["--module", "users_nets.py:make_net"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users_nets.py").write_text(CODE)
    (tmp_path / "users_bare.py").write_text(CODE.partition("def make_inputs")[0])
    np.savez("batch.npz", input=np.full((6, 4), 2, dtype=np.float32))
    yield
    for name in ("users_nets", "users_bare"):
        sys.modules.pop(name, None)


def test_inputs_of_a_file_describe_the_module_and_are_kept_as_a_vector(linreg):
    ended = linreg("export", *NET, "--inputs", "batch.npz", "--keep-inputs", "-o", "net", "--budget", "all", "--json")
    assert ended.code == 0, ended.err
    assert "inputs as in batch.npz: --input 'input=float32[batch,4]'" in " ".join(ended.err.split())
    assert json.loads(ended.out)["artifacts"]
    assert len(list(Path("net").glob("test_data_set_*"))) == 4
    shown = linreg("export", *NET, "--inputs", "batch.npz", "-o", "other", "--budget", "all")
    assert "linreg bench -m other --module users_nets.py:make_net" in " ".join(shown.out.split())
    assert len(list(Path("other").glob("test_data_set_*"))) == 3


def test_make_inputs_is_called_without_an_option_and_its_prints_leave_one_json_object(linreg):
    ended = linreg("export", *NET, "-o", "net", "--budget", "1s", "--json")
    assert ended.code == 0, ended.err
    assert "inputs as in users_nets.py:make_inputs(), set 1" in ended.err
    assert "reading" in ended.err
    assert json.loads(ended.out)["artifacts"]


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["--input", "input=float32[batch,5]", "--inputs", "batch.npz"], "has shape [6, 4], expected ['batch', 5]", 1),
        (["--input", "input=float64[batch,4]", "--inputs", "batch.npz"], "'input' is float32, expected float64", 1),
        (["--inputs", "absent.npz"], "absent.npz", 1),
        (["--inputs", "users_nets.py"], "is not a file of inputs", 1),
        (["--inputs", "batch.npz", "--keep-inputs", "--static"], "--keep-inputs: with --static there is one", 1),
        (["--input", "input=float32[batch,5]"], "users_nets.py:make_inputs(), set 1: 'input' has shape", 1),
    ],
)
def test_inputs_that_do_not_fit_are_refused_and_nothing_is_written(linreg, tmp_path, words, message, code):
    before = contents(tmp_path)
    assert message in linreg("export", *NET, *words, "-o", "net").failure(code)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--module", "users_bare.py:make_net", "-o", "net"], "or give your own: --inputs batch.npz"),
        (["bench", "--module", "users_bare.py:make_net"], "or give your own: --inputs batch.npz"),
        (["export", "--inputs", "batch.npz"], "--inputs applies to your own module; name it: --module"),
        (["export", "--keep-inputs"], "--keep-inputs applies to your own module"),
        (["bench", "--inputs", "batch.npz"], "--inputs applies to your own module; name it: --module"),
        (["bench", *NET, "--inputs", "batch.npz", "--batch", "1"], "--batch has no effect"),
        (["bench", *NET, "--batch", "1"], "--batch has no effect: users_nets.py:make_inputs(), set 1 is timed with"),
    ],
)
def test_options_that_do_not_apply_are_refused(linreg, words, message):
    assert message in linreg(*words).failure(2)


QUICKLY = [word for place, word in enumerate(QUICK) if "--batch" not in QUICK[max(place - 1, 0) : place + 1]]


@pytest.mark.usefixtures("frozen", "threads")
def test_bench_times_the_rows_of_a_file(linreg):
    ended = linreg("bench", *NET, "--inputs", "batch.npz", *QUICKLY, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["settings"]["batches"] == [6]
    assert rows_of(report)
    both = ["--inputs", "batch.npz", "--inputs", "batch.npz"]
    assert "batch.npz and batch.npz both have 6 rows" in linreg("bench", *NET, *both, *QUICKLY).failure()
