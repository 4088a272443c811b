"""The command line: which commands there are, and how an error ends.

Exit 0 done; 1 an error, in one line; 2 wrong usage; 3 outputs differ, or bytes are not those of the manifest;
4 slower than the gate allows; 130 interrupted; 129 and 143 ended by SIGHUP and SIGTERM, as a shell shows them.
`--help` answers without torch: everything heavy is imported inside the commands.
"""

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import linreg
from linreg.cli import bench, demo, doctor, evaluate, export, inspect, plot, predict, train, verify
from linreg.cli.terminal import note
from linreg.cli.usage import Command, Program, usage_message
from linreg.ending import ending_by_signal
from linreg.errors import LinregError

INTERRUPTED = 130
EXAMPLES = ("linreg train penguins.csv --target body_mass_g -o penguins", "linreg export -m penguins --format all")
WHOLE = "every file is whole, the old one or the new one"

app = typer.Typer(
    name="linreg",
    cls=Program,
    help="Fit a linear model, export it to TorchScript and ONNX, prove the exported files equal, and time them.",
    epilog="\n".join(EXAMPLES),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (train, evaluate, predict, plot, export, verify, inspect, bench, demo, doctor):
    app.command(command.NAME, cls=Command, short_help=command.SUMMARY, epilog="\n".join(command.EXAMPLES))(command.run)


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
    code, message = 1, ""
    with ending_by_signal(watched=_is_worth_watching()) as ending:
        try:
            code, message = _run()
        except BaseException:  # of whatever kind: an import may wrap what a signal raised in it
            if ending.number is None:
                raise
    if ending.number is not None:
        code = 128 + ending.number
        message = f"ended by {signal.Signals(ending.number).name}; {WHOLE}"
    if code == INTERRUPTED:
        message = f"interrupted; {WHOLE}"
        exec("")  # after an interruption inside an exec, as in dataclass, Python would not exit but die of the signal
    if message:
        with suppress(*(() if ending.number is None else (OSError,))):  # the terminal may be gone
            note(f"error: {message}")
    if ending.number is not None:
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> NoReturn:
    """End without Python's own end: a library that was interrupted while it was loaded may crash there."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run() -> tuple[int, str]:
    """The exit code, and the line that says why."""
    try:
        return int(app(prog_name="linreg", standalone_mode=False) or 0), ""  # 130 if typer saw an interruption
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    except LinregError as error:
        return error.exit_code, str(error)
    except MemoryError:
        return 1, "out of memory; use fewer rows or columns"
    except RecursionError:
        return 1, "the input is nested too deeply"
    except Exception as error:
        return _unexpected(error)


def _is_worth_watching() -> bool:
    """Whether native code may run, and none is loaded yet: to fork later would be slow, and unsafe beside threads."""
    answers_at_once = len(sys.argv) < 2 or any(word in ("-h", "--help", "--version") for word in sys.argv)
    return not answers_at_once and hasattr(os, "fork") and not {"numpy", "torch"} & sys.modules.keys()


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


def _unexpected(error: Exception) -> tuple[int, str]:
    """Wrong usage (typer keeps its error classes to itself), an error of the system, or a fault of ours."""
    if hasattr(error, "format_message"):
        if len(sys.argv) == 1:  # the message is the help
            typer.echo(error.format_message(), err=True)
            return 2, ""
        return 2, usage_message(error, sys.argv[1:])
    if os.environ.get("LINREG_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT):
            # What Python still holds back would fail once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 1, f"stdout cannot be written: {error.strerror}; redirect it elsewhere, or make room"
        if error.filename is not None:
            return 1, f"{error.filename}: {error.strerror}; check the name, the disk and its permissions"
    text = " ".join(str(error).split())[:300]
    return 1, f"unexpected {type(error).__name__}: {text}; please report it with the output of LINREG_DEBUG=1"


def _fail(message: str, code: int) -> None:
    note(f"error: {message}")
    sys.exit(code)
