"""Check which options of `linreg train` can be given together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import typer

from linreg.cli.options import given, refuse, usage_errors
from linreg.cli.table_options import refuse_table_options
from linreg.config import LINE_DEFAULTS, OF_DESCENT, TABLE_DEFAULTS, Architecture, Engine, Method

OF_THE_LINE = ("weight", "bias_value", "start", "end", "step")


def check_usage(context: typer.Context, table: str | None, options: Mapping[str, Any]) -> None:
    """Refuse options that cannot be used, or that do not apply to this run, before any data is read.

    Args:
        context: context of the command.
        table: table to train on; None for the straight line.
        options: training settings by name; None for those that were not given.

    Raises:
        typer.BadParameter: such options were given.
    """
    from linreg.training import check_settings

    chosen = {name: value for name, value in options.items() if value is not None}
    settings = replace(LINE_DEFAULTS if table is None else TABLE_DEFAULTS, **chosen)

    if table is None and {"target", "features"} & given(context):
        raise typer.BadParameter("--target and --features belong to a table; name it: train TABLE --target COLUMN")
    if table is None:
        refuse_table_options(context, "the straight line")
        refuse(context, ["no_shuffle"], "belongs to a table: the line always keeps its order; leave it out")
        refuse(
            context, ["workers", "memory", "engine", "address"], "belongs to a table: the line is small; leave it out"
        )
    else:
        refuse(context, OF_THE_LINE, f"belongs to the straight line; leave out either it or {table}")
    if settings.method is Method.EXACT:
        whose = "applies to the gradient methods, and has no effect on the exact solution"
        refuse(context, OF_DESCENT, f"{whose}; leave it out, or add --method sgd, adam or lbfgs")
        if table is None or "no_shuffle" in given(context):
            refuse(context, ["seed"], "has no effect: without shuffling, the exact method uses no random numbers")
    else:
        if context.params.get("engine") is Engine.RAY:
            refuse(context, ["engine"], f"ray applies to --method exact, and the method is {settings.method}")
        refuse(
            context,
            ["allow_collinear"],
            f"applies to --method exact, and the method is {settings.method}; leave it out",
        )
    if settings.architecture is Architecture.PARAMETER:
        refuse(context, ["no_bias"], "cannot be combined with --architecture parameter, which always has a bias")
    with usage_errors():
        check_settings(settings)
