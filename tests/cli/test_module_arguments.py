"""`--module package.module:NAME` and `--arg`, from the command line into fresh processes."""

import json
import sys
from pathlib import Path

import pytest

from bench.plan.request import public_command
from bench.plan.subject import Subject
from bench.worker.messages import Job, job_from_json, job_to_json
from tests.bench_command import QUICK
from tests.conftest import contents

CODE = """
from torch import nn

def make_net(size, activation="ReLU"):
    return nn.Sequential(nn.Linear(size, 3), getattr(nn, activation)())
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users_nets.py").write_text(CODE)
    yield
    sys.modules.pop("users_nets", None)


WORDS = ["--module", "users_nets:make_net", "--arg", "size=5", "--arg", "activation=Tanh"]
INPUT = ["--input", "x=float32[batch,5]"]


def test_an_importable_function_with_arguments_is_exported_and_bisected(linreg):
    ended = linreg("export", *WORDS, *INPUT, "-o", "net", "--budget", "1s")
    assert ended.code == 0, ended.err
    assert "running users_nets" in ended.err
    assert f"linreg bench -m net {' '.join(WORDS)}" in " ".join(ended.out.split())
    ended = linreg("bisect", "net", *WORDS)
    assert ended.code == 0, ended.err
    assert "no node leaves its bound" in ended.out


def test_wrong_arguments_end_before_anything_is_written(linreg, tmp_path):
    before = contents(tmp_path)
    message = linreg("export", *WORDS[:2], "--arg", "sizes=5", *INPUT, "-o", "net").failure()
    assert "--arg: users_nets:make_net has no argument 'sizes'; did you mean size?" in message
    assert "got 'size', expected NAME=VALUE" in linreg("export", *WORDS[:2], "--arg", "size", "-o", "net").failure(2)
    assert "--arg applies to your own module" in linreg("export", "--arg", "size=5").failure(2)
    assert "--arg applies to your own module" in linreg("bench", "--arg", "size=5").failure(2)
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("frozen", "threads")
def test_bench_makes_the_module_with_its_arguments(linreg):
    ended = linreg("bench", *WORDS, *INPUT, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["settings"]["batches"]


def test_a_fresh_process_is_given_the_arguments(tmp_path):
    subject = Subject(module="users_nets:make_net", arguments=("size=5", "activation=Tanh"))
    job = Job(variants=(), subjects={"model": subject}, folder=Path(tmp_path), batches=(1,), rounds=10, seed=1)
    read = job_from_json(json.loads(json.dumps(job_to_json(job)))).subjects["model"]
    assert read == subject
    assert read.module_itself()[0].in_features == 5


def test_paths_in_arguments_are_shortened_in_the_report():
    assert public_command(["--arg", "weights=/home/me/w.pth"]) == ("--arg", "weights=.../w.pth")
