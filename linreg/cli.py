"""The command line: which commands there are, and how an error ends.

Exit 0 done; 1 an error, in one line; 2 wrong usage; 3 outputs differ, or bytes are not those of the manifest;
130 interrupted. `--help` answers without torch: everything heavy is imported inside the commands.
"""

import os
import sys
from typing import Annotated

import typer

import linreg
from linreg.commands import bench, demo, doctor, evaluate, export, plot, predict, train, verify
from linreg.errors import LinregError

app = typer.Typer(
    name="linreg",
    help="Fit a linear model, export it to TorchScript and ONNX, prove every file equal, measure how fast it answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (train, evaluate, predict, plot, export, verify, bench, demo, doctor):
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
    """Run the command line; every expected failure is one line on stderr and its exit code."""
    try:
        app(prog_name="linreg")
    except LinregError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("out of memory; use fewer rows or columns", 1)
    except RecursionError:
        _fail("the input is nested too deeply", 1)
    except Exception as error:
        if os.environ.get("LINREG_DEBUG"):
            raise
        text = " ".join(str(error).split())[:300]
        _fail(f"unexpected {type(error).__name__}: {text}; please report it with the output of LINREG_DEBUG=1", 1)


def _fail(message: str, code: int) -> None:
    printable = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in message)
    typer.echo(f"error: {printable}", err=True)
    sys.exit(code)
