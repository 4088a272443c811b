"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="Bundle or .pth file. Default: artifacts/linreg, trained first where it is missing.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are not listed in the bundle's manifest.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for another linreg command that is writing there, instead of failing.")
]
