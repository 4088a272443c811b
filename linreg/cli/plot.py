"""`linreg plot`: draw the plots of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.cli.bundle import open_existing
from linreg.cli.options import ExistingModel, Wait, Workers
from linreg.cli.rows import read_before, rows_to_plot
from linreg.cli.table_options import PLACES, Decimal, Delimiter, Missing, Thousands, read_options, refuse_table_options
from linreg.cli.terminal import note, say, say_waiting
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.checkpoint import Checkpoint
    from linreg.parts import PredictedPart

NAME = "plot"
SUMMARY = "Plot predictions, residuals and loss curves."
EXAMPLES = ("linreg plot -m line", "linreg plot penguins.csv -m penguins -o pictures")


def run(
    context: typer.Context,
    table: Annotated[
        str | None,
        typer.Argument(help=f"Table with the model's columns: {PLACES}. Default: the line the model was trained on."),
    ] = None,
    model: ExistingModel = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    delimiter: Delimiter = None,
    missing: Missing = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the PNG files. Default: the bundle.", rich_help_panel="Output"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite pictures that linreg did not draw.", rich_help_panel="Output")
    ] = False,
    workers: Workers = None,
    wait: Wait = False,
) -> None:
    """Draw predictions, residuals and, if the model was trained by a gradient method, loss curves, as PNG files.

    With one feature, predictions are drawn over the feature; with several, against the actual values.
    """
    if table is None:
        refuse_table_options(context, "the line that the model was trained on")
    import matplotlib  # noqa: F401, if it is missing, no table needs to be read

    checkpoint = open_existing(model, None if table is None else Path(table))
    how = read_options(decimal, thousands, delimiter, missing, before=read_before(checkpoint))
    parts = rows_to_plot(checkpoint, table, workers, how)
    drawn, rows = (sum(counts) for counts in zip(*map(_rows_of, parts.values()), strict=True))
    if drawn < rows:
        note(f"note: the plots show {drawn:,} of {rows:,} rows, drawn at random; metrics are of all rows")
    for path in draw(checkpoint, parts, output or checkpoint.path.parent, force=force, wait=wait):
        say(f"plot: {path}")


def _rows_of(part: "PredictedPart") -> tuple[int, int]:
    return len(part.actual), part.metrics.rows


def draw(
    checkpoint: "Checkpoint", parts: "dict[str, PredictedPart]", folder: Path, *, force: bool, wait: bool = False
) -> list[Path]:
    """Draw all plots of a model into `folder`.

    Raises:
        LinregError: a plot would replace a file in `folder` that linreg did not draw, and `force` is not set.
    """
    from linreg import plots
    from linreg.changes import changing
    from linreg.folders import ensure_folder
    from linreg.inside import file_inside, read_inside

    card = checkpoint.card
    assert card is not None
    ensure_folder(folder)
    drawn = plots.pictures(card, parts)
    names = sorted(drawn)
    with changing(folder, command="linreg plot", wait=wait, on_wait=say_waiting) as changes:
        for name in names:
            there = read_inside(folder, name, limit=MAX_STATE_BYTES) if file_inside(folder, name) else None
            if there is not None and not force and not plots.drawn_here(there):
                raise LinregError(
                    f"{folder / name}: already exists, and was not drawn by linreg; use --force, or another -o"
                )
            changes.stage(name, drawn[name])
        changes.commit()
    return [folder / name for name in names]
