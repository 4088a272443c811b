"""`linreg plot`: the pictures of a fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.commands.bundle import open_model
from linreg.commands.options import Model
from linreg.commands.rows import parts_of
from linreg.commands.terminal import say

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.checkpoint import Checkpoint
    from linreg.data import Part

NAME = "plot"
SUMMARY = "Draw predictions, residuals and loss curves."


def run(
    table: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with the model's columns. Default: the line it learned.")
    ] = None,
    model: Model = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the PNG files. Default: the bundle.")
    ] = None,
) -> None:
    """Draw predictions (several features: predicted against actual), residuals, and the loss curves."""
    checkpoint = open_model(model)
    parts = parts_of(table, checkpoint.card, checkpoint.path)
    for path in draw(checkpoint, parts, output or checkpoint.path.parent):
        say(f"plot: {path}")


def draw(checkpoint: "Checkpoint", parts: "dict[str, Part]", folder: Path) -> list[Path]:
    """Draw all pictures of a fit into `folder`."""
    import numpy as np

    from linreg import plots
    from linreg.files import write_atomic
    from linreg.inference import predict

    card = checkpoint.card
    assert card is not None
    predicted = {name: predict(checkpoint.model, part.features).astype(np.float64) for name, part in parts.items()}
    fits = {name: (part.target, predicted[name]) for name, part in parts.items()}
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
    for name, data in sorted(pictures.items()):
        write_atomic(folder / name, data)
    return [folder / name for name in sorted(pictures)]


def _loss_curves(card: "Card") -> bytes:
    from linreg import plots

    return plots.plot_loss_curves(
        [row["epoch"] for row in card.history],
        [row["train_loss"] for row in card.history],
        [row["test_loss"] for row in card.history],
        loss={"l1": "L1", "mse": "MSE", "huber": "Huber"}[card.training["loss"]],
    )
