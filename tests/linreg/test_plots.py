"""The plots are drawn whatever the columns are called and however large the numbers are."""

import struct
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg import plots
from linreg.errors import LinregError
from linreg.models import LinearRegressionModelV2
from linreg.plots import PredictedPart
from tests.checkpoints import card_of

NAMES = [
    "x",
    r"$x_1$",
    "a$b",
    r"\frac{a}{b}",
    "^_",
    "[/]",
    "[link=file:///etc/passwd]x[/link]",
    "\x1b[31mred\u202e\n\t",
    "体重（克）",
    "a very long name that goes on " * 30,
    "W" * 300,
    r"$" * 300,
    " ",
]
ONE, TWO = ["x"], ["x", "z"]


@pytest.fixture
def parts():
    generator = np.random.default_rng(0)

    def some(rows):
        x = generator.normal(size=(rows, 1)) * 100
        return PredictedPart(
            features=x, actual=2 * x[:, 0] + generator.normal(size=rows), predicted=np.float32(2) * x[:, 0]
        )

    return {"train": some(40), "validation": some(5), "test": some(10)}


def shown(axes: Axes) -> list[str]:
    """The texts of a plot: labels, title and legend."""
    legend = axes.get_legend()
    return [axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left"), *(t.get_text() for t in legend.texts)]


def with_history(train: list[float], test: list[Any], **changed: Any) -> Any:
    """A card of the line whose history has these losses."""
    rows = [
        {"epoch": epoch, "train_loss": losses[0], "test_loss": losses[1]}
        for epoch, losses in enumerate(zip(train, test, strict=True))
    ]
    return card_of(LinearRegressionModelV2(1), history=rows, **changed)


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[-8:-4] == b"IEND"
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:12]))
def test_any_name_is_drawn_inside_the_picture(parts, name):
    drawn = [
        (plots.predictions(parts, features=[name], target=name), (1200, 750)),
        (plots.predictions(parts, features=[name, name], target=name), (975, 975)),
        (plots.residuals(parts, target=name), (1200, 750)),
    ]
    for axes, (width, height) in drawn:
        picture = plots.png(axes)
        assert size_of(picture) == (width, height)
        assert plots.drawn_here(picture)
        texts = [axes.xaxis.label, axes.yaxis.label, axes._left_title, *axes.get_legend().get_texts()]
        assert len(texts) > 3
        for text in texts:
            left, bottom, right, top = text.get_window_extent().extents
            assert left >= 0, text
            assert bottom >= 0, text
            assert right <= width, text
            assert top <= height, text


def test_dollar_signs_are_no_mathematics(parts):
    assert shown(plots.residuals(parts, target=r"$x_1$"))[0] == r"predicted \$x_1\$"


def test_the_parts_are_named_counted_and_measured(parts):
    x, y, title, *legend = shown(plots.predictions(parts, features=ONE, target="y"))
    assert [x, y, title] == ["x", "y", "y by x"]
    for text, (name, rows) in zip(legend, [("train", 40), ("validation", 5), ("test", 10)], strict=False):
        error = parts[name].actual - parts[name].predicted
        r2 = 1 - (error**2).sum() / ((parts[name].actual - parts[name].actual.mean()) ** 2).sum()
        assert text == f"{name} ({rows}): R2 {r2:.4g}, RMSE {np.sqrt((error**2).mean()):.4g}"
    assert legend[3:] == ["predictions (10)"]


def test_a_constant_target_has_no_r2():
    rows = PredictedPart(features=np.ones((2, 2)), actual=np.full(2, 7.0), predicted=np.full(2, 8.0))
    assert shown(plots.predictions({"rows": rows}, features=TWO, target="y"))[3] == "rows (2): R2 undefined, RMSE 1"


def test_predicted_against_actual_has_equal_axes(parts):
    parts["train"].predicted[0] = 900
    axes = plots.predictions(parts, features=TWO, target="y")
    axes.figure.draw_without_rendering()
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
    box = axes.get_window_extent()
    assert box.width == pytest.approx(box.height)
    assert shown(axes)[:2] == ["actual y", "predicted y"]
    for part in parts.values():
        for values in (part.actual, part.predicted):
            assert axes.get_xlim()[0] < values.min()
            assert values.max() < axes.get_xlim()[1]


def test_the_points_are_the_values(parts):
    offsets = [points.get_offsets() for points in plots.predictions(parts, features=TWO, target="y").collections]
    for points, part in zip(offsets, parts.values(), strict=True):
        assert points.tolist() == np.column_stack([part.actual, part.predicted]).tolist()
    offsets = [points.get_offsets() for points in plots.residuals(parts, target="y").collections]
    for points, part in zip(offsets, parts.values(), strict=True):
        assert points.tolist() == np.column_stack([part.predicted, part.actual - part.predicted]).tolist()
    *offsets, last = [points.get_offsets() for points in plots.predictions(parts, features=ONE, target="y").collections]
    for points, part in zip(offsets, parts.values(), strict=True):
        assert points.tolist() == np.column_stack([part.features, part.actual]).tolist()
    assert last.tolist() == np.column_stack([parts["test"].features, parts["test"].predicted]).tolist()


def test_given_axes_are_drawn_into(parts):
    figure = Figure(figsize=(9, 3))
    left, middle, right = figure.subplots(1, 3)
    assert plots.predictions(parts, features=TWO, target="y", ax=left) is left
    assert plots.residuals(parts, target="y", ax=middle) is middle
    assert plots.loss_curves(with_history([0.5, 0.4], [0.6, 0.5]), ax=right) is right
    assert [shown(axes)[0] for axes in figure.axes] == ["actual y", "predicted y", "epoch"]


@pytest.mark.parametrize(
    "values", [[5.0], [7.0, 7.0, 7.0], [1e300, -1e300], [5e-324, 1e-323], [0.0, 0.0], [1e15, 1e15 + 1]]
)
def test_extreme_values_are_drawn(values):
    actual = np.array(values)
    rows = {"rows": PredictedPart(features=actual[:, None], actual=actual, predicted=actual * 0.9)}
    plots.png(plots.predictions(rows, features=ONE, target="y"))
    plots.png(plots.predictions(rows, features=TWO, target="y"))
    plots.png(plots.residuals(rows, target="y"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_too_large_to_be_drawn_are_refused(dtype):
    ones = np.ones(2)
    rows = {"rows": PredictedPart(features=ones[:, None], actual=ones * 1e301, predicted=ones.astype(dtype))}
    for draw in (lambda: plots.predictions(rows, features=ONE, target="y"), lambda: plots.residuals(rows, target="y")):
        with pytest.raises(LinregError, match=r"target 'y': values beyond 1e\+300 cannot be drawn; rescale it"):
            draw()


@pytest.mark.parametrize(
    ("train", "test", "title", "label"),
    [
        ([0.5, 0.4], [0.6, 0.5], "Train and test loss", "L1 loss"),
        ([0.5, 0.001], [0.6, 0.002], "Train and test loss", "L1 loss, logarithmic"),
        ([0.5, 0.0], [0.6, 0.002], "Train and test loss", "L1 loss"),
        ([0.5, 0.4], [None, None], "Train loss", "L1 loss"),
        ([0.5], [0.6], "Train and test loss", "L1 loss"),
    ],
)
def test_loss_curves(train, test, title, label):
    axes = plots.loss_curves(with_history(train, test))
    assert size_of(plots.png(axes)) == (1200, 750)
    assert [shown(axes)[2], shown(axes)[1]] == [title, label]


def test_loss_curves_name_the_part_that_was_watched():
    metrics = {"validation": {"rows": 1, "r2": None, "rmse": 0.0, "mae": 0.0}}
    texts = shown(plots.loss_curves(with_history([0.5, 0.4], [0.5, 0.4], metrics=metrics)))
    assert texts[2] == "Train and validation loss"
    assert texts[4] == "validation loss"


def test_one_epoch_is_a_point_that_is_seen():
    assert [line.get_marker() for line in plots.loss_curves(with_history([0.5], [0.6])).lines] == ["o", "o"]


def test_a_model_without_a_history_has_no_loss_curves():
    with pytest.raises(LinregError, match="the exact method has no history; train with --method sgd"):
        plots.loss_curves(with_history([], []))


def test_the_same_fit_gives_the_same_bytes_and_nothing_else_changes(parts):
    before = dict(matplotlib.rcParams)
    card = with_history([0.5, 0.4], [0.6, 0.5])
    assert plots.pictures(card, parts) == plots.pictures(card, parts)
    assert sorted(plots.pictures(card, parts)) == ["loss_curves.png", "predictions.png", "residuals.png"]
    assert dict(matplotlib.rcParams) == before


def test_a_picture_of_somebody_else_is_told_apart():
    assert not plots.drawn_here(b"\x89PNG\r\n\x1a\n" + bytes(300) + plots.SIGNATURE)
