"""Plots of a fitted model: predictions, residuals and loss curves.

Every plot is drawn into `ax` if that is given, and is returned as matplotlib Axes. Without `ax`, a new Figure is made
without pyplot, so no window opens and no global state changes. `png` turns such a figure into bytes that do not depend
on the machine.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from linreg.card import Card
from linreg.errors import LinregError
from linreg.parts import PredictedPart
from linreg.reading.column_names import short

TRAIN, TEST, PREDICTION, VALIDATION = "#1f5fbf", "#2e8b57", "#c8322b", "#8a5a00"
PART_COLORS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "rows": TRAIN}
LINE_COLOR = "0.4"

SIGNATURE = b"Software\0linreg"
"""Marks every PNG file that this module draws, among its first bytes."""

WIDE, SQUARE = (8.0, 5.0), (6.5, 6.5)
"""Figure sizes, in inches."""
DPI = 150
LONGEST_NAME = 60
LARGEST_DRAWN = 1e300


Parts = Mapping[str, PredictedPart]
"""Parts by name: train, validation and test, or rows."""


def predictions(parts: Parts, *, features: Sequence[str], target: str, ax: Axes | None = None) -> Axes:
    """Plot predictions, with R2 and RMSE of each part in the legend.

    With one feature, the target is plotted against the feature, with the predictions of the test part (or of the only
    part). With several features, predicted values are plotted against actual values on equal axes, so that a perfect
    fit lies on the diagonal.

    Args:
        parts: what to draw.
        features: names of the features.
        target: name of the target.
        ax: axes to draw into.

    Raises:
        LinregError: a value is too large to be drawn.
    """
    _check_size(parts, target)
    if len(features) == 1:
        return _by_feature(parts, features[0], target, ax)
    return _against_actual(parts, target, ax)


def residuals(parts: Parts, *, target: str, ax: Axes | None = None) -> Axes:
    """Plot residuals (actual - predicted) against predictions; a visible pattern is one that a linear model cannot fit.

    Args:
        parts: what to draw.
        target: name of the target.
        ax: axes to draw into.

    Raises:
        LinregError: a value is too large to be drawn.
    """
    _check_size(parts, target)
    axes = _axes(ax, WIDE)
    for name, part in parts.items():
        label = f"{name} ({_rows_of(part)})"
        axes.scatter(
            part.predicted, part.actual - part.predicted, s=14, alpha=0.8, color=PART_COLORS[name], label=label
        )
    axes.axhline(0, color=LINE_COLOR, linewidth=1, zorder=1)
    return _labelled(axes, x=f"predicted {target}", y="actual - predicted", title=f"{_plain(target, 30)}: residuals")


def loss_curves(card: Card, *, ax: Axes | None = None) -> Axes:
    """Plot train and held-out loss by epoch, on a logarithmic scale if the train loss varies by a factor of over 20.

    Args:
        card: card of a model that was trained by a gradient method, so that it has a history.
        ax: axes to draw into.

    Raises:
        LinregError: the card has no history.
    """
    if not card.history:
        raise LinregError("no loss curves: the exact method has no history; train with --method sgd, adam or lbfgs")
    loss = {"l1": "L1 loss", "mse": "MSE loss", "huber": "Huber loss"}[card.training["loss"]]
    if card.data["kind"] != "line":
        loss += " of the standardised target"
    held_out = "validation" if "validation" in card.metrics else "test"
    epochs = [row["epoch"] for row in card.history]
    train = [row["train_loss"] for row in card.history]
    watched = [row["test_loss"] for row in card.history if row["test_loss"] is not None]
    axes = _axes(ax, WIDE)
    marker = "o" if len(epochs) == 1 else None  # a line through one point is invisible
    axes.plot(epochs, train, color=TRAIN, marker=marker, label="train loss")
    title = "Train loss"
    if len(watched) == len(epochs):
        axes.plot(epochs, watched, color=PART_COLORS[held_out], marker=marker, label=f"{held_out} loss")
        title = f"Train and {held_out} loss"
    if min([*train, *watched]) > 0 and max(train) > 20 * min(train):
        axes.set_yscale("log")
        loss += ", logarithmic"
    return _labelled(axes, x="epoch", y=loss, title=title)


def pictures(card: Card, parts: Parts) -> dict[str, bytes]:
    """Draw every plot of a model; return the PNG bytes by file name.

    Raises:
        LinregError: a value is too large to be drawn.
    """
    drawn = {
        "predictions.png": png(predictions(parts, features=card.features, target=card.target)),
        "residuals.png": png(residuals(parts, target=card.target)),
    }
    if card.history:
        drawn["loss_curves.png"] = png(loss_curves(card))
    return drawn


def png(axes: Axes) -> bytes:
    """Render the figure that holds the axes as a PNG file; the same data give the same bytes."""
    buffer = io.BytesIO()
    with _any_glyph():
        axes.figure.canvas.print_figure(buffer, format="png", metadata={"Software": "linreg"})
    return buffer.getvalue()


def drawn_here(data: bytes) -> bool:
    """Return whether the bytes of a file are a picture that this module drew."""
    return SIGNATURE in data[:256]


def _by_feature(parts: Parts, feature: str, target: str, ax: Axes | None) -> Axes:
    """Draw the training points in blue, the test points in green and the predictions in red."""
    axes = _axes(ax, WIDE)
    for name, part in parts.items():
        size = 36 if name == "test" else 14
        axes.scatter(
            part.features[:, 0], part.actual, s=size, color=PART_COLORS[name], label=_fit_of(name, part), zorder=2
        )
    shown = parts[next(name for name in ("test", "rows", "train") if name in parts)]
    label = f"predictions ({_rows_of(shown)})"
    axes.scatter(shown.features[:, 0], shown.predicted, s=10, color=PREDICTION, label=label, zorder=3)
    return _labelled(axes, x=feature, y=target, title=f"{_plain(target, 30)} by {_plain(feature, 30)}")


def _against_actual(parts: Parts, target: str, ax: Axes | None) -> Axes:
    axes = _axes(ax, SQUARE)
    for name, part in parts.items():
        axes.scatter(part.actual, part.predicted, s=14, alpha=0.8, color=PART_COLORS[name], label=_fit_of(name, part))
    values = np.concatenate([values for part in parts.values() for values in (part.actual, part.predicted)])
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    ends = (low - margin, high + margin)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.plot(axes.get_xlim(), axes.get_ylim(), color=LINE_COLOR, linewidth=1, zorder=1, label="predicted = actual")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    return _labelled(
        axes,
        x=f"actual {target}",
        y=f"predicted {target}",
        title=f"{_plain(target, 30)}: predicted and actual values",
    )


def _fit_of(name: str, part: PredictedPart) -> str:
    metrics = part.metrics
    r2 = "undefined" if metrics.r2 is None else f"{metrics.r2:.4g}"
    return f"{name} ({_rows_of(part)}): R2 {r2}, RMSE {metrics.rmse:.4g}"


def _rows_of(part: PredictedPart) -> str:
    """Return the number of rows; if they were drawn from more, both numbers."""
    drawn, rows = len(part.actual), part.metrics.rows
    return f"{rows}" if drawn == rows else f"{drawn:,} drawn of {rows:,}"


def _check_size(parts: Parts, target: str) -> None:
    largest = max(float(np.abs(values).max()) for part in parts.values() for values in (part.actual, part.predicted))
    if largest > LARGEST_DRAWN:
        raise LinregError(f"target {short(target)}: values beyond {LARGEST_DRAWN:g} cannot be drawn; rescale it")


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is None:
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
    ax.grid(color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _labelled(axes: Axes, *, x: str, y: str, title: str) -> Axes:
    axes.legend(frameon=False)
    room = axes.bbox
    with _any_glyph():
        _shorten(axes.set_xlabel(_plain(x)), 1.1 * room.width)
        _shorten(axes.set_ylabel(_plain(y)), 1.1 * room.height)
        _shorten(axes.set_title(title, loc="left"), 1.1 * room.width)
    return axes


def _shorten(text: Text, room: float) -> None:
    """Cut a text that takes more than `room` pixels."""
    for _ in range(4):
        extent = text.get_window_extent()
        excess = max(extent.width, extent.height) / room
        if excess > 1:
            text.set_text(text.get_text()[: int(len(text.get_text()) / excess) - 3] + "...")


@contextmanager
def _any_glyph() -> Iterator[None]:
    """Let matplotlib draw a box for a character that the font lacks, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def _plain(text: str, longest: int = LONGEST_NAME) -> str:
    """Return text that matplotlib draws literally: without mathematics or control characters, and of limited length."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return (printable if len(printable) <= longest else printable[: longest - 3] + "...").replace("$", r"\$")
