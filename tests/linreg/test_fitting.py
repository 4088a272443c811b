"""`linreg.fit`: every kind of data, the options, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow.csv
import pytest
import torch

import linreg
from tests.conftest import PENGUINS, contents

FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
TARGET = "body_mass_g"


def numbers_of(model: linreg.FittedModel) -> list[float]:
    return [entry.value for entry in model.coefficients]


def arrays() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    frame = pandas.read_csv(PENGUINS)[[*FEATURES, TARGET]].dropna()
    return frame[FEATURES].to_numpy(), frame[TARGET].to_numpy()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: str(PENGUINS), id="str"),
        pytest.param(lambda: pandas.read_csv(PENGUINS), id="pandas"),
        pytest.param(lambda: polars.read_csv(PENGUINS, null_values="NA"), id="polars"),
        pytest.param(lambda: pyarrow.csv.read_csv(PENGUINS), id="pyarrow"),
    ],
)
def test_a_table_gives_what_its_file_gives(data: Callable[[], Any]) -> None:
    file = linreg.fit(PENGUINS, target=TARGET, features=FEATURES)
    model = linreg.fit(data(), target=TARGET, features=FEATURES)
    assert model.coefficients == file.coefficients
    assert model.metrics == file.metrics
    assert model.notes == ("2 of 344 rows have no value in a used column and are left out",)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, list])
def test_arrays_and_tensors_give_what_a_table_gives(kind: Callable[[Any], Any]) -> None:
    x, y = arrays()
    model = linreg.fit((kind(x), kind(y)), target=TARGET, feature_names=FEATURES)
    frame = pandas.DataFrame({**dict(zip(FEATURES, x.T, strict=True)), TARGET: y})
    table = linreg.fit(frame, target=TARGET, features=FEATURES)
    assert model.coefficients == table.coefficients
    assert linreg.fit((x, y[:, None])).card.features == ("x0", "x1", "x2")  # type: ignore[union-attr]


def test_one_feature_may_be_a_plain_array() -> None:
    x = np.arange(10.0)
    model = linreg.fit((x, 2 * x + 1), split="1")
    assert numbers_of(model) == pytest.approx([2, 1])
    assert [entry.name for entry in model.coefficients] == ["x0", "(bias)"]


def test_a_later_change_of_the_arrays_changes_no_model() -> None:
    x, y = np.arange(10.0), np.arange(10.0)[::-1].copy()
    model = linreg.fit((x, y), split="1")
    before = model.parts["train"].target.copy()  # type: ignore[index]
    y[:] = 99
    np.testing.assert_array_equal(model.parts["train"].target, before)  # type: ignore[index]


def test_the_line_is_that_of_the_command(linreg_command: Callable[..., Any], tmp_path: Path) -> None:
    linreg.fit(linreg.straight_line(weight=0.3, bias=0.9), epochs=30, device="cpu").save(tmp_path / "a")
    ended = linreg_command(
        "train", "--weight", "0.3", "--bias", "0.9", "--epochs", "30", "--device", "cpu", "-o", tmp_path / "b"
    )
    assert ended.code == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_table_is_saved_as_by_the_command(linreg_command: Callable[..., Any], tmp_path: Path) -> None:
    words = ["train", PENGUINS, "--target", TARGET, "--features", ",".join(FEATURES), "--split", "0.7/0.15/0.15"]
    assert linreg_command(*words, "--dtype", "float64", "--seed", "7", "-o", tmp_path / "b").code == 0
    model = linreg.fit(PENGUINS, target=TARGET, features=FEATURES, split="0.7/0.15/0.15", dtype="float64", seed=7)
    model.save(tmp_path / "a")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.fixture
def linreg_command(linreg: Callable[..., Any]) -> Callable[..., Any]:
    """The command line under a name that the package does not have."""
    return linreg


def test_the_points_of_the_line_are_of_the_dtype_that_is_fitted() -> None:
    model = linreg.fit(linreg.straight_line(weight=0.1), method="exact", dtype="float64", split="1")
    assert numbers_of(model) == pytest.approx([0.1, 0.3], rel=1e-14)
    assert model.parts is not None
    assert (model.parts["train"].target != model.parts["train"].target.astype(np.float32)).any()


def test_progress_tells_every_epoch() -> None:
    told: list[tuple[str, int, int]] = []
    linreg.fit(linreg.straight_line(), epochs=3, device="cpu", progress=lambda *step: told.append(step))
    assert told == [("training", 1, 3), ("training", 2, 3), ("training", 3, 3)]


def test_an_interruption_returns_the_best_so_far() -> None:
    def progress(_stage: str, done: int, _total: int) -> None:
        if done == 50:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"epochs": 100, "device": "cpu", "progress": progress}
    model = linreg.fit(linreg.straight_line(), keep_on_interrupt=True, **options)
    assert model.interrupted_at == 49
    assert model.card is not None
    assert model.card.training["interrupted_at"] == 49
    with pytest.raises(KeyboardInterrupt):
        linreg.fit(linreg.straight_line(), **options)


X, Y = np.arange(12.0).reshape(6, 2) ** 2, np.arange(6.0)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (PENGUINS, {}, "target: a table needs it"),
        (PENGUINS, {"target": TARGET, "features": "year"}, "features: got 'year', expected a list"),
        (PENGUINS, {"target": TARGET, "feature_names": ["a"]}, "feature_names: got"),
        (PENGUINS, {"target": TARGET, "epochs": 5}, "epochs: got '5', but only a gradient method uses it"),
        (PENGUINS, {"target": TARGET, "device": "cuda"}, "device: got 'cuda', but only a gradient method"),
        (PENGUINS, {"target": TARGET, "keep_on_interrupt": True}, "keep_on_interrupt: got 'True', but only a gradient"),
        (PENGUINS, {"target": TARGET, "method": "ols"}, "method: got 'ols', expected one of sgd, adam, lbfgs, exact"),
        (PENGUINS, {"target": TARGET, "dtype": "float16"}, "dtype: got 'float16', expected one of float32, float64"),
        (PENGUINS, {"target": TARGET, "split": "2"}, "split: got '2'"),
        (PENGUINS, {"target": TARGET, "method": "sgd", "allow_collinear": True}, "only the exact method uses it"),
        ((X, Y), {"features": ["x0"]}, "features: got"),
        ((X, Y, Y), {}, "data: got a tuple of 3, expected (X, y)"),
        ((X, Y[:5]), {}, "y: has shape (5,), expected (6,) as X has 6 rows"),
        ((X[:, :, None], Y), {}, "X: has shape (6, 2, 1), expected (rows, features)"),
        ((X, Y), {"feature_names": ["a"]}, "feature_names: got 1 names, expected 2"),
        ((X, Y), {"feature_names": ["a", "a"]}, "feature_names: 'a' is also the name of another feature"),
        ((X, Y), {"feature_names": ["a", "y"]}, "feature_names: 'y' is also the name of the target"),
        ((X, np.array(["a"] * 6)), {}, "y: is an array of <U1, expected numbers"),
        ((X, np.full(6, 3.0)), {}, "y: is 3 in every row"),
        ((np.where(X == 9, np.nan, X), Y), {}, "X: row 2 holds a value that is not finite"),
        (([[1.0], [1.0, 2.0]], [1, 2]), {}, "X: is not an array of numbers"),
        ([1, 2], {}, "data: got list, expected a path, a table (pandas, polars, pyarrow), (X, y) or a Dataset"),
        (linreg.straight_line(), {"target": "y"}, "target: got 'y', but a Dataset has its columns already"),
        (linreg.straight_line(), {"shuffle": True}, "a straight line always keeps its order"),
    ],
)
def test_what_does_not_apply_is_refused_in_one_line(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(linreg.LinregError) as caught:
        linreg.fit(data, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
