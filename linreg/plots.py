"""Pictures of a fit, as PNG bytes: the course's predictions and loss curves, and residuals.

Drawn with matplotlib's Agg canvas: no window, no global state, and nothing in the file that names this machine.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float64]

TRAIN, TEST, PREDICTION, VALIDATION = "#1f5fbf", "#2e8b57", "#c8322b", "#8a5a00"
PART_COLORS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "rows": TRAIN}
Series = dict[str, tuple[Array, Array]]


def plot_predictions(parts: Series, prediction: tuple[Array, Array], *, feature: str, target: str) -> bytes:
    """The course's picture: train blue, test green, predictions red.

    Args:
        parts: by name, x and y, shape (rows,) each.
        prediction: x and predicted y.
        feature: label of x.
        target: label of y.
    """
    figure, axes = _figure()
    for name, (x, y) in parts.items():
        axes.scatter(
            x, y, s=36 if name == "test" else 14, color=PART_COLORS[name], label=_count(name, len(x)), zorder=2
        )
    axes.scatter(*prediction, s=10, color=PREDICTION, label=_count("predictions", len(prediction[0])), zorder=3)
    return _finish(figure, axes, xlabel=feature, ylabel=target, title=f"{_plain(target)} by {_plain(feature)}")


def plot_predicted_against_actual(parts: Series, *, target: str) -> bytes:
    """Predicted against actual values, for several features; a perfect fit lies on the line.

    Args:
        parts: by name, actual and predicted values, shape (rows,) each.
        target: what they are.
    """
    figure, axes = _figure()
    for name, (actual, predicted) in parts.items():
        axes.scatter(actual, predicted, s=14, alpha=0.8, color=PART_COLORS[name], label=_count(name, len(actual)))
    everything = np.concatenate([values for pair in parts.values() for values in pair])
    ends = [float(everything.min()), float(everything.max())]
    axes.plot(ends, ends, color="0.4", linewidth=1, zorder=1, label="predicted = actual")
    return _finish(
        figure,
        axes,
        xlabel=f"actual {target}",
        ylabel=f"predicted {target}",
        title=f"{_plain(target)}: predicted and actual values",
    )


def plot_residuals(parts: Series, *, target: str) -> bytes:
    """Actual minus predicted against predicted; structure here is what a linear model cannot follow.

    Args:
        parts: by name, actual and predicted values, shape (rows,) each.
        target: what they are.
    """
    figure, axes = _figure()
    for name, (actual, predicted) in parts.items():
        axes.scatter(
            predicted, actual - predicted, s=14, alpha=0.8, color=PART_COLORS[name], label=_count(name, len(actual))
        )
    axes.axhline(0, color="0.4", linewidth=1, zorder=1)
    return _finish(
        figure, axes, xlabel=f"predicted {target}", ylabel="actual - predicted", title=f"{_plain(target)}: residuals"
    )


def plot_loss_curves(
    epochs: Sequence[int], train: Sequence[float], test: Sequence[float | None], *, loss: str
) -> bytes:
    """Train and test loss by epoch.

    Args:
        epochs: of the history.
        train: loss before each epoch's step.
        test: loss after it; None where nothing was held out.
        loss: its name.
    """
    figure, axes = _figure()
    axes.plot(epochs, train, color=TRAIN, label="train loss")
    held_out = [value for value in test if value is not None]
    if len(held_out) == len(epochs):
        axes.plot(epochs, held_out, color=TEST, label="test loss")
    positive = min([*train, *held_out]) > 0
    if positive and max(train) > 20 * min(train):
        axes.set_yscale("log")
    return _finish(figure, axes, xlabel="epoch", ylabel=f"{loss} loss", title="Training and test loss")


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, *, xlabel: str, ylabel: str, title: str) -> bytes:
    axes.set_xlabel(_plain(xlabel))
    axes.set_ylabel(_plain(ylabel))
    axes.set_title(title, loc="left")
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _count(name: str, rows: int) -> str:
    return f"{name} ({rows})"


def _plain(text: str) -> str:
    """Text that matplotlib takes as it is: no mathematics, no control characters, no endless labels."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return (printable if len(printable) <= 60 else printable[:57] + "...").replace("$", r"\$")
