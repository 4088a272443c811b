"""`linreg plot`: the pictures of a fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.cli.bundle import open_existing
from linreg.cli.options import ExistingModel, Wait
from linreg.cli.rows import parts_of, predictions_of
from linreg.cli.terminal import say, say_waiting
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.checkpoint import Checkpoint
    from linreg.data import Part

NAME = "plot"
SUMMARY = "Draw predictions, residuals and loss curves."
EXAMPLES = ("linreg plot penguins.csv -m penguins", "linreg plot -m line -o pictures")
LARGEST_DRAWN = 1e300


def run(
    table: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with the model's columns. Default: the line it learned.")
    ] = None,
    model: ExistingModel = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the PNG files. Default: the bundle.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite pictures that linreg did not draw.")] = False,
    wait: Wait = False,
) -> None:
    """Draw predictions (several features: predicted against actual), residuals, and the loss curves."""
    checkpoint = open_existing(model, table)
    parts = parts_of(table, checkpoint.card, checkpoint.path)
    for path in draw(checkpoint, parts, output or checkpoint.path.parent, force=force, wait=wait):
        say(f"plot: {path}")


def draw(
    checkpoint: "Checkpoint", parts: "dict[str, Part]", folder: Path, *, force: bool, wait: bool = False
) -> list[Path]:
    """Draw all pictures of a fit into `folder`.

    Raises:
        LinregError: a file there is somebody else's and `force` is not set.
    """
    import numpy as np

    from linreg import plots
    from linreg.changes import changing
    from linreg.files import ensure_folder
    from linreg.inside import file_inside, read_inside

    card = checkpoint.card
    assert card is not None
    ensure_folder(folder)
    predicted = {name: values.astype(np.float64) for name, values in predictions_of(checkpoint, parts).items()}
    fits = {name: (part.target, predicted[name]) for name, part in parts.items()}
    if max(np.abs(values).max() for pair in fits.values() for values in pair) > LARGEST_DRAWN:
        raise LinregError(f"{checkpoint.path}: values beyond {LARGEST_DRAWN:g} cannot be drawn; rescale the target")
    pictures = {"residuals.png": plots.plot_residuals(fits, target=card.target)}
    if len(card.features) == 1:
        shown = next(name for name in ("test", "rows", "train") if name in parts)
        points = {name: (part.features[:, 0], part.target) for name, part in parts.items()}
        prediction = (parts[shown].features[:, 0], predicted[shown])
        pictures["predictions.png"] = plots.plot_predictions(
            points, prediction, feature=card.features[0], target=card.target
        )
    else:
        pictures["predictions.png"] = plots.plot_predicted_against_actual(fits, target=card.target)
    if card.history:
        pictures["loss_curves.png"] = _loss_curves(card)
    names = sorted(pictures)
    with changing(folder, command="linreg plot", wait=wait, on_wait=say_waiting) as changes:
        for name in names:
            there = read_inside(folder, name, limit=MAX_STATE_BYTES) if file_inside(folder, name) else None
            if there is not None and not force and not plots.drawn_here(there):
                raise LinregError(f"{folder / name}: is there and was not drawn by linreg; use --force, or another -o")
            changes.stage(name, pictures[name])
        changes.commit()
    return [folder / name for name in names]


def _loss_curves(card: "Card") -> bytes:
    from linreg import plots

    loss = {"l1": "L1 loss", "mse": "MSE loss", "huber": "Huber loss"}[card.training["loss"]]
    return plots.plot_loss_curves(
        [row["epoch"] for row in card.history],
        [row["train_loss"] for row in card.history],
        [row["test_loss"] for row in card.history],
        loss=loss if card.data["kind"] == "line" else f"{loss} of the standardised target",
        held_out="validation" if "validation" in card.metrics else "test",
    )
