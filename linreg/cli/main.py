"""The command line: its commands, error messages and exit codes.

Exit codes: 0 success; 1 error, reported in one line; 2 wrong usage; 3 outputs differ, or files do not match the
manifest; 4 slower than the gate allows; 130 interrupted; 129 and 143 ended by SIGHUP and SIGTERM; 141 the reader of the
output has left.
`--help` does not load torch: heavy packages are imported inside the commands.
"""

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import linreg
from linreg.cli import bench, bisect, demo, doctor, evaluate, export, inspect, plot, predict, serve, train, verify
from linreg.cli.terminal import note
from linreg.cli.usage import Command, Program, usage_message
from linreg.dependencies import package_message
from linreg.ending import INTERRUPTED, ended_by, ending_by_signal
from linreg.errors import LinregError
from linreg.watcher import WHOLE

LEFT = 141
"""Exit code if the reader of the output has left, as `head` does: 128 and the number of SIGPIPE."""

EXAMPLES = ("linreg train penguins.csv --target body_mass_g -o penguins", "linreg export -m penguins --format all")

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

for command in (train, evaluate, predict, plot, export, verify, bisect, inspect, bench, serve, demo, doctor):
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
    del version  # handled by its callback


def main() -> None:
    """Run the command line; a failure prints one line on stderr and sets the exit code."""
    _check_surroundings()
    code, message = 1, ""
    with ending_by_signal(watched=_is_worth_watching()) as ending:
        try:
            with ending.interrupting():
                code, message = _run()
        except BaseException:  # of any class: an import may wrap the exception that a signal raised
            if ending.number is None:
                raise
    reason = message if code == INTERRUPTED and message else WHOLE
    if ending.number is not None:
        code, message = 128 + ending.number, ended_by(ending.number, reason)
    elif code == INTERRUPTED:
        message = f"interrupted; {reason}"
    if code == INTERRUPTED:
        exec("")  # after an interruption inside exec, which dataclasses use, Python would die of the signal at exit
    if message:
        with suppress(*(() if ending.number is None else (OSError,))):  # the terminal may be gone
            note(f"error: {message}")
    if ending.number is not None:
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> NoReturn:
    """Exit without Python's shutdown, which may crash in a library whose loading was interrupted."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run() -> tuple[int, str]:
    """Run the command; return its exit code and the error message, if any."""
    try:
        return int(app(prog_name="linreg", standalone_mode=False) or 0), ""  # 130 if typer caught an interruption
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer has made it an exit
            return LEFT, ""
        raise
    except LinregError as error:
        # The library does not know which command it works for.
        text = error.on_command_line or str(error)
        return error.exit_code, text.replace("linreg COMMAND ", f"linreg {' '.join(sys.argv[1:2])} ")
    except MemoryError:
        return 1, "out of memory; use fewer rows or columns"
    except RecursionError:
        return 1, "the input is nested too deeply"
    except Exception as error:
        message = package_message(error, f"linreg {''.join(sys.argv[1:2])}")
        return (1, message) if message else _unexpected(error)


def _is_worth_watching() -> bool:
    """Return whether to fork a watching process: native code may run, but none is loaded yet.

    Once it is loaded, forking is slow, and unsafe because of its threads.
    """
    answers_at_once = len(sys.argv) < 2 or any(word in ("-h", "--help", "--version") for word in sys.argv)
    return not answers_at_once and hasattr(os, "fork") and not {"numpy", "torch"} & sys.modules.keys()


def _check_surroundings() -> None:
    """Check that stdout, stderr and the working directory are usable, and escape characters that fail to encode."""
    if sys.stderr is None:  # closed, as by 2>&-
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stdout is None:
        _fail("stdout is closed, so no result can be shown; redirect it, for example to /dev/null", 1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        Path.cwd()
    except OSError:  # MKL would end the process
        _fail("the current folder no longer exists; change to another one", 1)


def _unexpected(error: Exception) -> tuple[int, str]:
    """Report wrong usage, a system error, or a bug in linreg.

    Wrong usage is recognised by a method of the error, since typer's error classes are private.
    """
    if hasattr(error, "format_message"):
        if len(sys.argv) == 1:  # the message is the help
            typer.echo(error.format_message(), err=True)
            return 2, ""
        return 2, usage_message(error, sys.argv[1:])
    if os.environ.get("LINREG_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT):
            # Otherwise Python would fail again when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 1, f"stdout cannot be written: {error.strerror}; redirect it elsewhere, or make room"
        if error.filename is not None:
            return 1, f"{error.filename}: {error.strerror}; check the name, the disk and the permissions"
    text = " ".join(str(error).split())[:300]
    return 1, f"unexpected {type(error).__name__}: {text}; please report it with the output of LINREG_DEBUG=1"


def _fail(message: str, code: int) -> None:
    note(f"error: {message}")
    sys.exit(code)
