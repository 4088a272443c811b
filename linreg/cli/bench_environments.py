"""`linreg bench --env`: the option, what it excludes, and its last lines."""

from typing import TYPE_CHECKING, Annotated

import typer

from bench.plan.interpreters import Interpreter, check_interpreters, parse_interpreter
from bench.plan.request import Request
from linreg.cli.bench_options import ROWS
from linreg.cli.options import refuse, usage_errors
from linreg.cli.terminal import note, say_wrapped

if TYPE_CHECKING:
    from bench.report.report import Report

EXCLUDED = (
    "device",
    "compiled",
    "variants",
    "against",
    "runtimes",
    "reference",
    "compare",
    "onnx_optimization",
    "budgets",
)


def _interpreter(text: str) -> Interpreter:
    with usage_errors():
        return parse_interpreter(text)


EnvironmentsOption = Annotated[
    list[Interpreter] | None,
    typer.Option(
        "--env",
        metavar="NAME=PYTHON",
        parser=_interpreter,
        rich_help_panel=ROWS,
        help="Python of an environment, such as old=venv/bin/python; at least two. The model is run and timed in each, "
        "and compared with the first. linreg need not be installed there.",
    ),
]


def check_environments(context: typer.Context, request: Request) -> None:
    """Refuse options that do not apply to a comparison of environments.

    Raises:
        typer.BadParameter: there is such an option, or the environments cannot be compared.
    """
    if not request.environments:
        return
    with usage_errors():
        check_interpreters(request.environments)
    refuse(context, EXCLUDED, "does not apply with --env, which times the same rows in each environment; leave it out")
    if len(request.settings.threads) > 1:
        raise typer.BadParameter("--threads: --env takes one number of threads")


def show_environments(report: "Report", *, quiet: bool) -> None:
    """Print the answer of a comparison of environments, and why rows are missing; `quiet` prints it on stderr."""
    from bench.report.order import answers

    if report.environments is None:
        return
    for name, reason in report.environments.missing.items():
        note(f"{name}: skipped: {reason}")
    for line in answers(report):
        (note if quiet else say_wrapped)(line)
