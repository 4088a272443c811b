"""The options that choose an engine, and what cannot be combined with it."""

import os
from typing import Annotated

import typer

from linreg.cli.options import given, refuse
from linreg.config import Engine

RESOURCES = "Resources"

EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="Where to compute: threads of this process, or worker processes of a Ray cluster. Default: threads.",
        show_default=False,
        rich_help_panel=RESOURCES,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Ray cluster to join, or auto for the one on this machine. Default: RAY_ADDRESS, or else a Ray that is "
        "started here, with --workers, and stopped at the end.",
        rich_help_panel=RESOURCES,
    ),
]


def check_engine(context: typer.Context, engine: Engine) -> None:
    """Refuse options that do not apply to an engine.

    Raises:
        typer.BadParameter: such an option was given.
    """
    if engine is Engine.THREADS:
        refuse(context, ["address"], "is that of a Ray cluster; add --engine ray, or leave it out")
        return
    refuse(context, ["memory"], "applies to --engine threads: on Ray, each worker reads its rows in every pass")
    if "address" in given(context) or os.environ.get("RAY_ADDRESS"):
        refuse(context, ["workers"], "applies to a Ray that is started here: a cluster that runs has its own workers")
    address = context.params["address"]
    if address is not None and "://" in address:
        raise typer.BadParameter(
            f"--address: got {address!r}, expected HOST:PORT of a cluster that this machine is part of, or auto"
        )
