"""The command line as a whole: help, wrong usage, exit codes, streams, interruption."""

import errno
import re
import sys
from pathlib import Path

import pytest

from linreg.cli import main as cli
from tests.conftest import PENGUINS

COMMANDS = [
    "train",
    "evaluate",
    "predict",
    "plot",
    "export",
    "verify",
    "bisect",
    "inspect",
    "bench",
    "serve",
    "demo",
    "doctor",
]


def one_line(text: str) -> str:
    """The one line that an error is."""
    assert re.fullmatch(r"error: [^\n]*\n", text), text
    return text


def test_help_lists_every_command(linreg):
    ended = linreg("--help")
    assert ended.code == 0
    commands = ended.out.partition("\nCommands:\n")[2].partition("\nExamples:\n")[0]
    assert re.findall(r"^  ([a-z]+) ", commands, re.MULTILINE) == COMMANDS
    assert ended.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(linreg, command):
    for option in ("-h", "--help"):
        ended = linreg(command, option)
        assert (ended.code, ended.err) == (0, "")
        assert f"Usage: linreg {command}" in ended.out


def test_no_command_shows_the_help_as_wrong_usage(linreg):
    ended = linreg()
    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


def test_version(linreg):
    import linreg as package

    assert linreg("--version") == (0, f"linreg {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'; did you mean 'train'? see: linreg --help"),
        (["zzz"], "No such command 'zzz'; see: linreg --help"),
        (["train", "--epchs", "5"], "No such option: --epchs; did you mean --epochs? see: linreg train --help"),
        (["train", "--zzz"], "No such option: --zzz; see: linreg train --help"),
        (["export", "--format", "onxn"], "did you mean 'onnx'? see: linreg export --help"),
        (["export", "-f", "c, sql"], "'sql', 'all'; repeat the option: -f c -f sql; see: linreg export --help"),
        (["train", "--method", "sdg"], "'sdg' is not one of 'sgd', 'adam', 'lbfgs', 'exact'; did you mean 'sgd'?"),
        (["train", "--method", "zzz"], "'zzz' is not one of 'sgd', 'adam', 'lbfgs', 'exact'; see: linreg train --help"),
        (["train", "--loss", "\x1b[31m"], r"'\x1b[31m' is not one of"),
        (["train", "--epochs", "many"], "Invalid value for '--epochs': "),
        (["train", "--epochs"], "Option '--epochs' requires an argument"),
        (["train", "a.csv", "b.csv"], "unexpected extra argument"),
        (["predict"], "Missing argument"),
        (["bench", "--rounds", "1"], "Invalid value for '--rounds': "),
        (
            ["bench", "--batch", "1,x"],
            "Invalid value for '--batch': got '1,x', expected integers from 1 to 1048576, separated by commas",
        ),
        (["train", "--epochs", "0"], "--epochs: got 0, expected 1 to 1000000000; see: linreg train --help"),
        (["train", "--lr", "nan"], "--lr: got nan, expected"),
        (["train", "--split", "2"], "'--split': got '2', expected a train fraction such as 0.8"),
        (["train", "--target", "y"], "--target and --features belong to a table"),
        (["train", PENGUINS, "--weight", "3"], "--weight belongs to the straight line"),
        (["train", PENGUINS], "no target was given; name the column to predict with --target"),
        (
            ["train", PENGUINS, "--target", "year", "--features", "a,,b"],
            "'--features': got 'a,,b', expected column names",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(linreg, tmp_path, words, message):
    ended = linreg(*words)
    assert (ended.code, ended.out) == (2, "")
    assert message in one_line(ended.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "out of memory; use fewer rows"),
        (RecursionError(), 1, "nested too deeply"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/\x1b"), 1, r"/x/\x1b: Permission denied; check"),
        (ZeroDivisionError("two\nlines"), 1, "unexpected ZeroDivisionError: two lines; please report it"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_is_raised_is_one_line(linreg, monkeypatch, error, code, message):
    def fails(*_: Path) -> None:
        raise error

    monkeypatch.setattr("export.bundle.verify.checked_manifest", fails)
    ended = linreg("verify", ".")
    assert (ended.code, ended.out) == (code, "")
    assert message in one_line(ended.err)


def test_debug_shows_where_a_fault_is(linreg, monkeypatch):
    monkeypatch.setenv("LINREG_DEBUG", "1")
    monkeypatch.setattr("export.bundle.verify.checked_manifest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        linreg("verify", ".")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("linreg ", COMMANDS),
        ("linreg export --format ", ["onnx", "torchscript"]),
        ("linreg train --meth", ["--method"]),
    ],
)
def test_bash_completes(linreg, monkeypatch, line, expected):
    monkeypatch.setenv("_LINREG_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    ended = linreg()
    assert (ended.code, ended.err) == (0, "")
    assert set(expected) <= set(ended.out.split())


def test_a_completion_script_can_be_had(linreg, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))  # whatever shell runs the tests
    ended = linreg("--show-completion", "bash")
    assert ended.code == 0
    assert "_LINREG_COMPLETE=complete_bash" in ended.out


def test_a_closed_stdout_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["linreg", "doctor"])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert "stdout is closed" in one_line(capsys.readouterr().err)


def test_a_folder_that_is_gone_is_an_error(linreg, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ended = linreg("doctor")
    monkeypatch.chdir(tmp_path)
    assert ended.code == 1
    assert "folder no longer exists" in one_line(ended.err)
