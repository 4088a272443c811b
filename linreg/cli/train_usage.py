"""Which options of `linreg train` go together."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from linreg.cli.options import given, refuse, usage_errors
from linreg.config import LINE_DEFAULTS, OF_DESCENT, TABLE_DEFAULTS, Architecture, Method

OF_THE_LINE = ("weight", "bias_value", "start", "end", "step")


def check_usage(context: typer.Context, table: Path | None, options: Mapping[str, Any]) -> None:
    """Refuse options that cannot be used, or that do not apply to this run, before any data is read.

    Args:
        context: of the command.
        table: to train on; None for the straight line.
        options: the training settings by name, None where one was not given.

    Raises:
        typer.BadParameter: there are such options.
    """
    from linreg.training import check_settings

    chosen = {name: value for name, value in options.items() if value is not None}
    settings = replace(LINE_DEFAULTS if table is None else TABLE_DEFAULTS, **chosen)

    if table is None and {"target", "features"} & given(context):
        raise typer.BadParameter("--target and --features belong to a table; name it: train TABLE --target COLUMN")
    if table is None:
        refuse(context, ["no_shuffle"], "belongs to a table: the line always keeps its order; leave it out")
    else:
        refuse(context, OF_THE_LINE, f"belongs to the straight line; leave it or {table} out")
    if settings.method is Method.EXACT:
        whose = "belongs to the gradient methods, and the exact solution has no use for it"
        refuse(context, OF_DESCENT, f"{whose}; leave it out, or add --method sgd, adam or lbfgs")
        if table is None or "no_shuffle" in given(context):
            refuse(context, ["seed"], "changes nothing here: the exact solution of rows in their order draws no number")
    else:
        refuse(context, ["allow_collinear"], f"belongs to --method exact, and this is {settings.method}; leave it out")
    if settings.architecture is Architecture.PARAMETER:
        refuse(context, ["no_bias"], "does not go with --architecture parameter, which always has a bias")
    with usage_errors():
        check_settings(settings)
