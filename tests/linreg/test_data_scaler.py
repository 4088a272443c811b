"""The scaler: from the training part alone, for any scale. Oracle: the module statistics."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest

from linreg import data
from linreg.config import LineSettings
from linreg.data import Part, fit_scaler, split, straight_line
from linreg.errors import DataError
from tests.datasets import numbered


@pytest.mark.parametrize("centre", [True, False], ids=["centred", "not-centred"])
def test_the_scaler_is_mean_and_deviation(centre):
    generator = np.random.default_rng(5)
    part = Part(features=generator.normal(7, 3, (50, 4)) * [1, 1e6, 1e-6, -1], target=generator.normal(-2, 9, 50))
    scaler = fit_scaler(part, centre=centre)
    for place in range(4):
        column = part.features[:, place].tolist()
        mean = statistics.fmean(column) if centre else 0.0
        assert scaler.feature_mean[place] == pytest.approx(mean, rel=1e-13, abs=0)
        assert scaler.feature_scale[place] == pytest.approx(statistics.pstdev(column, mean), rel=1e-13, abs=0)
    mean = statistics.fmean(part.target.tolist()) if centre else 0.0
    assert scaler.target_mean == pytest.approx(mean, rel=1e-13, abs=0)
    assert scaler.target_scale == pytest.approx(statistics.pstdev(part.target.tolist(), mean), rel=1e-13, abs=0)


def test_the_scaler_knows_the_training_part_only():
    dataset = numbered(50)
    plain = fit_scaler(split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9).train, centre=True)
    parts = split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9)
    seen = set(parts.train.target.astype(int))
    for row in set(range(50)) - seen:
        dataset.features[row] = 1e9
        dataset.target[row] = -1e9
    again = fit_scaler(split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9).train, centre=True)
    assert np.array_equal(plain.feature_mean, again.feature_mean)
    assert np.array_equal(plain.feature_scale, again.feature_scale)
    assert (plain.target_mean, plain.target_scale) == (again.target_mean, again.target_scale)
    assert plain.target_mean == parts.train.target.mean() != dataset.target.mean()


@pytest.mark.parametrize("value", [0.1, 0.0, -1e300, 1e-310], ids=str)
def test_a_constant_column_becomes_zero(value):
    part = Part(features=np.array([[value, 1], [value, 2], [value, 4]]), target=np.array([1.0, 2, 4]))
    scaler = fit_scaler(part, centre=True)
    assert scaler.feature_scale[0] == math.inf
    assert math.isfinite(scaler.feature_scale[1])
    assert ((part.features - scaler.feature_mean) / scaler.feature_scale)[:, 0].tolist() == [0, 0, 0]


def test_a_constant_column_is_used_by_a_model_without_a_bias():
    part = Part(features=np.array([[3.0, 0.0], [3.0, 0.0]]), target=np.array([1.0, 1.0]))
    scaler = fit_scaler(part, centre=False)
    assert scaler.feature_scale.tolist() == [3.0, math.inf]
    assert scaler.target_scale == 1.0
    assert fit_scaler(part, centre=True).target_scale == 1.0


@pytest.mark.parametrize("power", [-320, -300, -200, -150, 0, 100, 150], ids=lambda power: f"1e{power}")
@pytest.mark.parametrize("centre", [True, False], ids=["centred", "not-centred"])
def test_scales_far_from_one(power, centre):
    values = [float(f"{digits}e{power}") for digits in (1, 2, 4, 3.5)]
    scaler = fit_scaler(Part(features=np.array(values)[:, None], target=np.array(values)), centre=centre)
    mean = Fraction(scaler.target_mean)
    assert float(sum(map(Fraction, values)) / 4 if centre else 0) == pytest.approx(float(mean), rel=1e-15, abs=5e-324)
    square = sum((Fraction(value) - mean) ** 2 for value in values) / 4
    expected = Fraction(math.isqrt(int(square * 2**2400)), 2**1200)
    assert scaler.target_scale == pytest.approx(float(expected), rel=1e-14, abs=5e-324)
    assert scaler.feature_scale[0] == scaler.target_scale > 0


@pytest.mark.parametrize("values", [(1e160, 2e160), (-1.7e308, 1.7e308), (1.7e308, 1.6e308), (1.7e308, -1.7e308) * 8])
@pytest.mark.parametrize("where", ["features", "target"])
def test_values_whose_squares_overflow_are_refused(values, where):
    plain = np.arange(float(len(values)))
    parts = {"features": plain[:, None], "target": plain}
    parts[where] = np.array(values).reshape(parts[where].shape)
    with pytest.raises(DataError, match="overflows float64; rescale the columns"):
        fit_scaler(Part(**parts), centre=True)


def test_limit_of_points(monkeypatch):
    monkeypatch.setattr(data, "MAX_LINE_POINTS", 50)
    assert len(straight_line(LineSettings()).target) == 50
    with pytest.raises(DataError, match="gives 100 points, expected at most 50"):
        straight_line(LineSettings(step=0.01))
