"""Pictures of a fit, as PNG bytes: the course's predictions and loss curves, and residuals.

Drawn with matplotlib's Agg canvas: no window, no global state, and nothing in the file that names this machine.
"""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

Array = NDArray[np.float64]

TRAIN, TEST, PREDICTION, VALIDATION = "#1f5fbf", "#2e8b57", "#c8322b", "#8a5a00"
PART_COLORS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "rows": TRAIN}
Series = dict[str, tuple[Array, Array]]

SIGNATURE = b"Software\0linreg"
"""In the first bytes of every PNG file drawn here."""

WIDTH, HEIGHT, DPI = 8, 5, 150
LONGEST_NAME = 60


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
    return _finish(figure, axes, xlabel=feature, ylabel=target, title=f"{_plain(target, 30)} by {_plain(feature, 30)}")


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
        title=f"{_plain(target, 30)}: predicted and actual values",
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
        figure,
        axes,
        xlabel=f"predicted {target}",
        ylabel="actual - predicted",
        title=f"{_plain(target, 30)}: residuals",
    )


def plot_loss_curves(
    epochs: Sequence[int],
    train: Sequence[float],
    test: Sequence[float | None],
    *,
    loss: str,
    held_out: str = "test",
) -> bytes:
    """Train and held-out loss by epoch, on a logarithmic scale where they fall far.

    Args:
        epochs: of the history.
        train: loss before each epoch's step.
        test: loss after it; None where nothing was held out.
        loss: label of the losses.
        held_out: the part that `test` belongs to.
    """
    figure, axes = _figure()
    marker = "o" if len(epochs) == 1 else None  # a line through one point is not seen
    axes.plot(epochs, train, color=TRAIN, marker=marker, label="train loss")
    values = [value for value in test if value is not None]
    watched = len(values) == len(epochs)
    if watched:
        axes.plot(epochs, values, color=PART_COLORS[held_out], marker=marker, label=f"{held_out} loss")
    if min([*train, *values]) > 0 and max(train) > 20 * min(train):
        axes.set_yscale("log")
        loss += ", logarithmic"
    return _finish(
        figure, axes, xlabel="epoch", ylabel=loss, title=f"Train and {held_out} loss" if watched else "Train loss"
    )


def drawn_here(data: bytes) -> bool:
    """Whether a file's bytes are those of a picture of this module."""
    return SIGNATURE in data[:256]


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, *, xlabel: str, ylabel: str, title: str) -> bytes:
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it in the picture
        _shorten(axes.set_xlabel(_plain(xlabel)), WIDTH)
        _shorten(axes.set_ylabel(_plain(ylabel)), HEIGHT)
        _shorten(axes.set_title(title, loc="left"), WIDTH)
        figure.savefig(buffer, format="png", metadata={"Software": "linreg"})
    return buffer.getvalue()


def _shorten(text: Text, room: float) -> None:
    """Cut a text that has no room, in inches, beside the picture's edges and ticks."""
    for _ in range(4):
        extent = text.get_window_extent()
        excess = max(extent.width, extent.height) / (0.85 * room * DPI)
        if excess > 1:
            text.set_text(text.get_text()[: int(len(text.get_text()) / excess) - 3] + "...")


def _count(name: str, rows: int) -> str:
    return f"{name} ({rows})"


def _plain(text: str, longest: int = LONGEST_NAME) -> str:
    """Text that matplotlib takes as it is: no mathematics, no control characters, no endless labels."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return (printable if len(printable) <= longest else printable[: longest - 3] + "...").replace("$", r"\$")
