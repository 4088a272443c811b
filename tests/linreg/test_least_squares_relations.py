"""Relations between two fits, each with a closed form (Luu, Lau, Ng, Chen 2021); eleven, within 1e-12."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.least_squares_problems import Array, close, fit, noisy, parameters

problems = st.builds(
    noisy,
    rows=st.integers(12, 60),
    columns=st.integers(2, 5),
    seed=st.integers(0, 2**32),
    noise=st.sampled_from([0.1, 1.0, 10.0]),
)
relation = settings(max_examples=25, deadline=None, derandomize=True)


@relation
@given(problems, st.integers(0, 2**32))
def test_rows_in_another_order(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    order = np.random.default_rng(seed).permutation(len(target))
    close(parameters(fit(features[order], target[order])), parameters(fit(features, target)))


@relation
@given(problems, st.integers(0, 2**32))
def test_columns_in_another_order(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    order = np.random.default_rng(seed).permutation(features.shape[1])
    close(fit(features[:, order], target).weight, fit(features, target).weight[order])
    close(np.array(fit(features[:, order], target).bias), np.array(fit(features, target).bias))


@relation
@given(problems, st.integers(2, 5))
def test_every_row_several_times(problem: tuple[Array, Array], times: int) -> None:
    features, target = problem
    close(parameters(fit(np.tile(features, (times, 1)), np.tile(target, times))), parameters(fit(features, target)))


@relation
@given(problems, st.sampled_from([1e-6, 0.3, 1000.0, -7.0]))
def test_target_times_a_number(problem: tuple[Array, Array], factor: float) -> None:
    features, target = problem
    close(parameters(fit(features, target * factor)), parameters(fit(features, target)) * factor)


@relation
@given(problems, st.sampled_from([-5.0, 0.1, 1e4]))
def test_target_plus_a_number(problem: tuple[Array, Array], shift: float) -> None:
    features, target = problem
    moved, before = fit(features, target + shift), fit(features, target)
    # The rounding of `target + shift` itself is part of the weights.
    assert np.abs(moved.weight - before.weight).max() <= 1e-12 * max(1.0, abs(shift))
    assert abs(moved.bias - before.bias - shift) <= 1e-12 * (abs(before.bias) + abs(shift))


@relation
@given(problems, st.sampled_from([1e-6, 0.1, 1e6]))
def test_a_column_times_a_number(problem: tuple[Array, Array], factor: float) -> None:
    features, target = problem
    scale = np.ones(features.shape[1])
    scale[1] = factor
    moved, before = fit(features * scale, target), fit(features, target)
    close(moved.weight * scale, before.weight)
    close(np.array(moved.bias), np.array(before.bias))


@relation
@given(problems, st.sampled_from([-20.0, 0.5, 1e3]))
def test_a_column_plus_a_number(problem: tuple[Array, Array], shift: float) -> None:
    features, target = problem
    offset = np.zeros(features.shape[1])
    offset[-1] = shift
    moved, before = fit(features + offset, target), fit(features, target)
    close(moved.weight, before.weight)
    wanted = before.bias - shift * before.weight[-1]
    assert abs(moved.bias - wanted) <= 1e-12 * (abs(before.bias) + abs(shift * before.weight[-1]))


@relation
@given(problems)
def test_the_negative_target(problem: tuple[Array, Array]) -> None:
    features, target = problem
    close(parameters(fit(features, -target)), -parameters(fit(features, target)))


@relation
@given(problems)
def test_a_negative_column(problem: tuple[Array, Array]) -> None:
    features, target = problem
    sign = np.where(np.arange(features.shape[1]) == 0, -1.0, 1.0)
    moved, before = fit(features * sign, target), fit(features, target)
    close(moved.weight * sign, before.weight)
    close(np.array(moved.bias), np.array(before.bias))


@relation
@given(problems, st.integers(0, 2**32))
def test_a_row_that_is_predicted_already(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    before = fit(features, target)
    row = np.random.default_rng(seed).normal(size=(1, features.shape[1]))
    more = np.vstack([features, row]), np.append(target, row @ before.weight + before.bias)
    close(parameters(fit(*more)), parameters(before))


@relation
@given(problems)
def test_the_centroid_as_a_row(problem: tuple[Array, Array]) -> None:
    features, target = problem
    more = np.vstack([features, features.mean(axis=0)]), np.append(target, target.mean())
    close(parameters(fit(*more)), parameters(fit(features, target)))
