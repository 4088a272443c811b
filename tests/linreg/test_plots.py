"""The pictures are drawn whatever the columns are called and however large the numbers are."""

import struct

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg import plots

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


@pytest.fixture
def series():
    generator = np.random.default_rng(0)

    def some(rows):
        x = generator.normal(size=rows) * 100
        return x, 2 * x + generator.normal(size=rows)

    return {"train": some(40), "validation": some(5), "test": some(10)}


@pytest.fixture
def texts(monkeypatch):
    """Record every picture's texts and where they end up, in pixels, when it is saved."""
    seen = []
    save = Figure.savefig

    def recording(figure, *arguments, **settings):
        save(figure, *arguments, **settings)
        axes = figure.axes[0]
        for text in (axes.xaxis.label, axes.yaxis.label, axes._left_title, *axes.get_legend().get_texts()):
            seen.append((text.get_text(), text.get_window_extent().extents))

    monkeypatch.setattr(Figure, "savefig", recording)
    return seen


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[-8:-4] == b"IEND"
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:12]))
def test_any_name_is_drawn_inside_the_picture(series, texts, name):
    pictures = [
        plots.plot_predictions(series, series["test"], feature=name, target=name),
        plots.plot_predicted_against_actual(series, target=name),
        plots.plot_residuals(series, target=name),
    ]
    for picture in pictures:
        assert size_of(picture) == (1200, 750)
        assert plots.drawn_here(picture)
    assert len(texts) > 9
    for text, (left, bottom, right, top) in texts:
        assert left >= 0, text
        assert bottom >= 0, text
        assert right <= 1200, text
        assert top <= 750, text


def test_dollar_signs_are_no_mathematics(series, texts):
    plots.plot_residuals(series, target=r"$x_1$")
    assert texts[0][0] == r"predicted \$x_1\$"


def test_the_parts_are_named_and_counted(series, texts):
    plots.plot_predictions(series, series["test"], feature="x", target="y")
    assert [text for text, _ in texts] == [
        "x",
        "y",
        "y by x",
        "train (40)",
        "validation (5)",
        "test (10)",
        "predictions (10)",
    ]


@pytest.mark.parametrize(
    "values", [[5.0], [7.0, 7.0, 7.0], [1e300, -1e300], [5e-324, 1e-323], [0.0, 0.0], [1e15, 1e15 + 1]]
)
def test_extreme_values_are_drawn(values):
    part = {"rows": (np.array(values), np.array(values) * 0.9)}
    plots.plot_predictions(part, part["rows"], feature="x", target="y")
    plots.plot_predicted_against_actual(part, target="y")
    plots.plot_residuals(part, target="y")


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
def test_loss_curves(texts, train, test, title, label):
    png = plots.plot_loss_curves(range(len(train)), train, test, loss="L1 loss")
    assert size_of(png) == (1200, 750)
    assert [texts[2][0], texts[1][0]] == [title, label]


def test_loss_curves_name_the_part_that_was_watched(texts):
    plots.plot_loss_curves([0, 1], [0.5, 0.4], [0.5, 0.4], loss="MSE loss", held_out="validation")
    assert texts[2][0] == "Train and validation loss"
    assert texts[4][0] == "validation loss"


def test_one_epoch_is_a_point_that_is_seen(monkeypatch):
    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda *words, **settings: drawn.append(settings) or plot(*words, **settings))
    plots.plot_loss_curves([0], [0.5], [0.6], loss="L1 loss")
    assert [settings["marker"] for settings in drawn] == ["o", "o"]


def test_the_same_fit_gives_the_same_bytes_and_nothing_else_changes(series):
    before = dict(matplotlib.rcParams)
    assert plots.plot_residuals(series, target="y") == plots.plot_residuals(series, target="y")
    assert dict(matplotlib.rcParams) == before


def test_a_picture_of_somebody_else_is_told_apart():
    assert not plots.drawn_here(b"\x89PNG\r\n\x1a\n" + bytes(300) + plots.SIGNATURE)
