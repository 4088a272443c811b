"""The worker of an environment, and programs that are none: each is named in one line, and none is waited for long."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench.environments import channel
from bench.environments.channel import Worker
from bench.environments.timing import TIMING
from bench.plan.interpreters import Interpreter
from linreg.errors import LinregError


@pytest.fixture
def worker(tmp_path):
    """Start the worker of a shell script."""

    @contextmanager
    def start(script: str):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        with Worker(Interpreter(name="new", python=program), tmp_path, None) as found:
            yield found

    return start


def ask(worker: Worker):
    return worker.ask("start", folder="/", timing=TIMING, module="")


def refused(worker: Worker) -> str:
    with pytest.raises(LinregError) as caught:
        ask(worker)
    return str(caught.value)


@pytest.mark.parametrize("noise", ["echo hello", "echo '{\"level\": 1}'", "printf 'no end of line'", "echo hello >&2"])
def test_what_is_printed_as_python_starts_is_no_answer(worker, noise):
    with worker(f'{noise}\nexec {sys.executable} "$@"') as python:
        assert ask(python)["python"].startswith("3.")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo hello", "is not a Python: it printed 'hello'"),
        ("exec yes", "is not a Python: it printed 'y'"),
        ("exec cat /dev/zero", "is not a Python: it printed '\\x00"),
        ("exit 3", "ended: with code 3; it printed nothing"),
        ("echo SystemExit: no licence >&2; exit 1", "ended: SystemExit: no licence"),
        ("echo SyntaxError: invalid syntax >&2; exit 1", "SyntaxError: invalid syntax; expected Python 3.8 or later"),
        ("kill -SEGV $$", "ended: by SIGSEGV; it printed nothing"),
    ],
)
def test_a_program_that_is_no_python(worker, script, message):
    with worker(script) as program:
        if not script.startswith("exec"):
            os.waitid(os.P_PID, program._process.pid, os.WEXITED | os.WNOWAIT)  # it may end before it is asked
        failure = refused(program)
    assert failure.startswith("--env new: ")
    assert message in failure


@pytest.mark.parametrize("script", ["exec sleep 100", "exec cat"], ids=["silent", "says what it is asked"])
def test_a_program_that_never_answers_is_not_waited_for(worker, monkeypatch, script):
    monkeypatch.setattr(channel, "START_S", 0.3)
    with worker(script) as program:
        assert refused(program).endswith("no answer within 0 s; is it a Python?")


def test_a_process_that_is_killed_later(worker):
    with worker(f'exec {sys.executable} "$@"') as python:
        ask(python)
        os.kill(python._process.pid, signal.SIGKILL)
        with pytest.raises(LinregError, match=r"ended \(asked for the load of torchscript\): by SIGKILL; it printed"):
            python.ask("load", row="torchscript", kind="torchscript", threads=1, file="none")


def test_an_old_python_says_so(tmp_path):
    """As `main` does with 3.7, which parses the file."""
    code = "import runpy, sys; sys.version_info = (3, 7); runpy.run_path(sys.argv[1], None, '__main__')"
    command = [sys.executable, "-c", code, str(channel.WORKER)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "expected 3.8 or later" in ended.stderr
