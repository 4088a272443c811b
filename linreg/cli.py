"""The command line: which commands there are, and how an error ends.

Exit 0 done; 1 an error, in one line; 2 wrong usage; 3 outputs differ, or bytes are not those of the manifest;
4 slower than the gate allows; 130 interrupted; 129 and 143 ended by SIGHUP and SIGTERM. `--help` answers without
torch: everything heavy is imported inside the commands.
"""

import errno
import io
import os
import re
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

import linreg
from linreg.commands import bench, demo, doctor, evaluate, export, inspect, plot, predict, train, verify
from linreg.commands.terminal import note
from linreg.errors import LinregError, TerminatedError

INTERRUPTED = 130

app = typer.Typer(
    name="linreg",
    help="Fit a linear model, export it to TorchScript and ONNX, prove every file equal, measure how fast it answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (train, evaluate, predict, plot, export, verify, inspect, bench, demo, doctor):
    app.command(command.NAME, short_help=command.SUMMARY)(command.run)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linreg {linreg.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version  # its callback has done everything


def main() -> None:
    """Run the command line; every failure is one line on stderr and its exit code."""
    _check_surroundings()
    for ending in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(ending) is signal.SIG_DFL:  # not where nohup has it ignored
            signal.signal(ending, _end)
    try:
        code = app(prog_name="linreg", standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except TerminatedError as error:
        code = error.args[0]
    except LinregError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("out of memory; use fewer rows or columns", 1)
    except RecursionError:
        _fail("the input is nested too deeply", 1)
    except Exception as error:
        _fail_unexpected(error)
    if code == INTERRUPTED:
        exec("")  # after an interruption inside an exec, as in dataclass, Python would not exit but die of the signal
        _fail("interrupted; every file is whole, the old one or the new one", code)
    sys.exit(code)


def _end(number: int, _frame: object) -> None:
    """End as one does by this signal, but leave no temporary folder and no process behind."""
    raise TerminatedError(128 + number)


def _check_surroundings() -> None:
    """Give every stream a place, and let none fail at a character that it does not know; see that there is a folder."""
    if sys.stderr is None:  # closed, as by 2>&-
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stdout is None:
        _fail("stdout is closed, so no result could be shown; redirect it, to /dev/null perhaps", 1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        Path.cwd()
    except OSError:  # MKL would end the process
        _fail("the current folder is no longer there; change to one that is", 1)


def _fail_unexpected(error: Exception) -> None:
    """Wrong usage (typer keeps its error classes to itself), an error of the system, or a fault of ours."""
    if hasattr(error, "format_message"):
        if len(sys.argv) == 1:  # the message is the help
            typer.echo(error.format_message(), err=True)
            sys.exit(2)
        _fail(_usage(error), 2)
    if os.environ.get("LINREG_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT):
            # What Python still holds back would fail once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _fail(f"stdout cannot be written: {error.strerror}; redirect it elsewhere, or make room", 1)
        if error.filename is not None:
            _fail(f"{error.filename}: {error.strerror}; check the name, the disk and its permissions", 1)
    text = " ".join(str(error).split())[:300]
    _fail(f"unexpected {type(error).__name__}: {text}; please report it with the output of LINREG_DEBUG=1", 1)


def _usage(error: Any) -> str:
    """What is wrong with the words of the command line, what was perhaps meant, and where the help is."""
    text = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    choice = re.search(r": '(.*)' is not one of ('.*')$", text)
    if getattr(error, "possibilities", None):
        text = f"{error.message}; did you mean {error.possibilities[0]}?"
    elif choice and (near := get_close_matches(choice[1], re.findall("'([^']*)'", choice[2]), n=1)):
        text += f"; did you mean {near[0]!r}?"
    path = error.ctx.command_path if getattr(error, "ctx", None) else "linreg"
    return f"{text.removeprefix('Invalid value: ')}{'' if text.endswith('?') else ';'} see: {path} --help"


def _fail(message: str, code: int) -> None:
    note(f"error: {message}")
    sys.exit(code)
