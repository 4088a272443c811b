"""Predictions of a model as arrays, and what a dtype does to raw values."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from linreg import affine, rating
from linreg.affine import Affine
from linreg.config import DeviceChoice
from linreg.device import resolve_device
from linreg.errors import DataError, LinregError
from linreg.models import LinearRegressionModel, LinearRegressionModelV2
from linreg.scoring import Rounded, scores_of_rows
from tests.module_predictions import arrays_of, set_affine

Array = NDArray[np.float64]


def predict(module: nn.Module, features: Array) -> NDArray[np.floating]:
    return affine.predict(arrays_of(module), features)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_predictions_against_float64(dtype: torch.dtype, bias: bool) -> None:
    generator = np.random.default_rng(0)
    model = LinearRegressionModelV2(6, bias=bias, dtype=dtype)
    weight, constant = generator.normal(size=6), 0.75 if bias else 0.0
    set_affine(model, weight, constant)
    features = generator.normal(size=(500, 6))
    got = predict(model, features)
    assert got.shape == (500,)
    assert got.dtype == (np.float32 if dtype == torch.float32 else np.float64)
    unit = 2.0**-24 if dtype == torch.float32 else 2.0**-53
    size = np.abs(features) @ np.abs(weight) + constant
    assert (np.abs(got - (features @ weight + constant)) <= 12 * unit * size).all()


def test_the_parameter_model_predicts_one_number_a_row() -> None:
    model = LinearRegressionModel(torch.float64)
    set_affine(model, np.array([2.0]), 1.0)
    assert predict(model, np.array([[0.0], [3.0]])).tolist() == [1.0, 7.0]


def test_no_rows() -> None:
    got = predict(LinearRegressionModelV2(3), np.empty((0, 3)))
    assert got.shape == (0,)
    assert got.dtype == np.float32


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LinearRegressionModel(torch.float64)
    features = np.random.default_rng(0).normal(size=(10, 1))
    whole = predict(model, features)
    monkeypatch.setattr(affine, "CHUNK_ROWS", 4)
    assert predict(model, features).tolist() == whole.tolist()


def test_one_row_at_a_time_is_within_the_rounding_of_the_batch() -> None:
    model = LinearRegressionModelV2(9)
    features = np.random.default_rng(0).normal(size=(64, 9))
    batch = predict(model, features)
    single = np.concatenate([predict(model, features[place : place + 1]) for place in range(64)])
    weight = np.abs(model.linear_layer.weight.detach().numpy()[0]).astype(np.float64)
    allowed = 2 * (9 + 4) * 2.0**-24 * (np.abs(features) @ weight + abs(model.linear_layer.bias.item()))
    assert (np.abs(batch.astype(np.float64) - single) <= allowed).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_layout_and_byte_order_gives_the_same_bytes(dtype: torch.dtype) -> None:
    model = LinearRegressionModelV2(5, dtype=dtype)
    features = np.random.default_rng(0).integers(-9, 9, size=(200, 5)).astype(np.float64)
    wanted = predict(model, features).tobytes()
    read_only = features.copy()
    read_only.flags.writeable = False
    others: list[NDArray[np.generic]] = [
        read_only,
        np.asfortranarray(features),
        np.repeat(features, 2, axis=1)[:, ::2],
        features[::-1].copy()[::-1],
        features.astype(">f8"),
        features.astype(np.int64),
        features.astype(np.float32),
        features.astype(object),
    ]
    for other in others:
        assert predict(model, other).tobytes() == wanted  # type: ignore[arg-type]


def test_the_features_are_left_alone() -> None:
    features = np.ones((4, 2))
    predict(LinearRegressionModelV2(2, dtype=torch.float64), features)
    assert features.tolist() == np.ones((4, 2)).tolist()
    assert features.flags.writeable


def check_range(model: Affine, features: Array, names: tuple[str, ...]) -> None:
    whole = Rounded(affine=model, weight=model.weight[0].astype(np.float64), bias=float(model.bias[0]))  # type: ignore[index]
    scores = [scores_of_rows(whole, features, np.zeros(len(features)))] if len(features) else []
    rating.check_range(whole, np.abs(features).max(axis=0, initial=0.0), scores, names)


def coarseness(model: Affine, features: Array, target: Array, weight: Array, bias: float) -> list[str]:
    whole = Rounded(affine=model, weight=weight, bias=bias)
    return rating.coarseness(scores_of_rows(whole, features, target), whole.dtype)


# Devices


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device(DeviceChoice.AUTO) == torch.device("cuda")
    assert resolve_device(DeviceChoice.CUDA) == torch.device("cuda")
    assert resolve_device(DeviceChoice.CPU) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device(DeviceChoice.AUTO) == torch.device("cpu")


def test_cuda_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LinregError, match="--device cuda: this torch sees no CUDA device; use --device cpu"):
        resolve_device(DeviceChoice.CUDA)


# What the dtype can hold


def linear(weight: list[float], bias: float = 0.0, dtype: torch.dtype = torch.float32) -> Affine:
    model = LinearRegressionModelV2(len(weight), dtype=dtype)
    set_affine(model, np.array(weight), bias)
    return arrays_of(model)


def test_what_float32_holds_is_in_range() -> None:
    largest = float(torch.finfo(torch.float32).max)
    check_range(linear([1.0, 0.5]), np.array([[largest / 2, 1.0], [-largest / 2, 1.0]]), ("a", "b"))
    check_range(linear([1.0]), np.empty((0, 1)), ("a",))


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("value", [3.5e38, -1e300])
def test_a_column_that_exceeds_float32_is_named(place: int, value: float) -> None:
    features = np.ones((5, 2))
    features[3, place] = value
    with pytest.raises(DataError) as raised:
        check_range(linear([1e-30, 1e-30]), features, ("a", "b"))
    assert str(raised.value) == (
        f"column {'ab'[place]!r} has values that exceed torch.float32; use --dtype float64, or rescale the columns"
    )
    check_range(linear([1e-30, 1e-30], dtype=torch.float64), features, ("a", "b"))


@pytest.mark.parametrize(("weight", "bias"), [(1e39, 0.0), (1.0, -1e39), (math.nan, 0.0)])
def test_coefficients_that_exceed_float32(weight: float, bias: float) -> None:
    with pytest.raises(DataError, match=r"the fitted coefficients exceed torch\.float32; use --dtype float64, or"):
        check_range(linear([weight], bias), np.ones((1, 1)), ("a",))


def test_predictions_that_exceed_float32() -> None:
    with pytest.raises(DataError, match=r"the predictions exceed torch\.float32; use --dtype float64, or rescale"):
        check_range(linear([1e20]), np.full((3, 1), 1e20), ("a",))


def test_float64_is_not_advised_where_it_is_used_already() -> None:
    with pytest.raises(DataError, match=r"the predictions exceed torch\.float64; rescale the columns"):
        check_range(linear([1e200], dtype=torch.float64), np.full((3, 1), 1e200), ("a",))


# What the dtype rounds away


def test_ordinary_values_are_not_coarse() -> None:
    features = np.random.default_rng(0).normal(size=(100, 2))
    target = features @ [1.0, 2.0] + 0.1 * np.random.default_rng(1).normal(size=100)
    assert coarseness(linear([1.0, 2.0]), features, target, np.array([1.0, 2.0]), 0.0) == []


def test_the_size_of_the_effect_is_told() -> None:
    weight, bias = np.array([0.1]), -1.7e8
    features = 1.7e9 + np.arange(0.0, 100.0)[:, None]
    target = features @ weight + bias + np.where(np.arange(100) % 2, 0.5, -0.5)
    model = linear([0.1], bias)
    effect = np.abs(affine.predict(model, features) - (features @ weight + bias)).max()
    (warning,) = coarseness(model, features, target, weight, bias)
    assert warning == (
        f"float32 is coarse for these raw values: it moves predictions by up to {effect:.3g} (RMSE 0.5); "
        "train with dtype float64, or shift the columns towards 0"
    )
    assert effect > 1
    assert coarseness(linear([0.1], bias, torch.float64), features, target, weight, bias) == []


def test_float64_can_be_coarse_too_and_is_then_not_advised() -> None:
    weight, bias = np.array([1.0 + 2.0**-52]), -1e16
    features = 1e16 + 2 * np.arange(0.0, 50.0)[:, None]
    target = features[:, 0] - 1e16
    (warning,) = coarseness(linear([1.0], bias, torch.float64), features, target, weight, bias)
    assert warning.startswith("float64 is coarse for these raw values")
    assert warning.endswith("; shift the columns towards 0")


def test_a_perfect_fit_is_measured_by_the_spread_of_the_target() -> None:
    features = np.linspace(0, 1, 50)[:, None]
    target = 0.7 * features[:, 0] + 0.3
    assert coarseness(linear([0.7], 0.3), features, target, np.array([0.7]), 0.3) == []
