"""Fits of tables in blocks: the same bytes for any workers and units, and the figures of NumPy and of NIST."""

import hashlib
import json

import numpy as np
import pytest

from linreg import exact_fit
from linreg import problem as problems
from linreg.block_split import BlockSplit
from linreg.config import TABLE_DEFAULTS, Precision, TrainSettings
from linreg.errors import DataError, TrainingError
from linreg.exact_fit import ExactFit, split_problem, warnings_of
from linreg.least_squares import INTERCEPT, LeastSquares, NearCollinearity
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.blocks import BLOCK_ROWS
from linreg.tree import reduced
from tests.conftest import TESTS
from tests.least_squares_problems import Array, digits, nist, problem_of

WIDE = TrainSettings(method=TABLE_DEFAULTS.method, dtype=Precision.FLOAT64)


def table(features: Array, target: Array) -> ArraysStream:
    names = tuple(f"x{place}" for place in range(features.shape[1]))
    return ArraysStream(features=features, target=target, feature_names=names)


def fit_exactly(
    stream: ArraysStream, settings: TrainSettings, fractions: tuple[float, ...], *, shuffled: bool, workers: int = 1
) -> ExactFit:
    problem = problems.Problem(stream=stream, workers=workers)
    seed = settings.seed if shuffled else None
    return exact_fit.fit_exactly(split_problem(problem, fractions, seed=seed, bias=settings.bias), settings)


def noisy(rows: int, columns: int = 3, missing: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(rows)
    features = generator.normal(size=(rows, columns)) * 10.0 ** np.arange(columns) + 3
    target = features @ np.linspace(1, 2, columns) + 3 + generator.normal(size=rows)
    features[generator.integers(0, rows, missing), generator.integers(0, columns, missing)] = np.nan
    return features, target


def bytes_of(fit: ExactFit) -> bytes:
    solution = fit.solution
    values = (solution.weight, solution.bias, solution.weight_errors, solution.bias_error, solution.residual_norm)
    return np.concatenate([np.ravel(value) for value in values]).tobytes() + fit.survey.digests


# The same bytes
@pytest.mark.parametrize("kind", ["regular", "ill-conditioned", "collinear"])
def test_neither_workers_nor_units_change_a_byte(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features, target = noisy(5 * BLOCK_ROWS + 1000, missing=500)
    if kind != "regular":
        features[:, 2] = features[:, 0] * 2 + 1 + (1e-7 * features[:, 2] if kind == "ill-conditioned" else 0)
    settings = TrainSettings(dtype=Precision.FLOAT64, allow_collinear=kind == "collinear")
    results = set()
    for blocks, workers in [(16, 1), (1, 1), (1, 2), (2, 4), (4, 3)]:
        monkeypatch.setattr(problems, "UNIT_BLOCKS", blocks)
        fit = fit_exactly(table(features, target), settings, (0.7, 0.15, 0.15), shuffled=True, workers=workers)
        assert bool(fit.solution.collinear) == (kind == "collinear")
        results.add(
            (fit.solution.weight.tobytes(), fit.solution.bias, fit.solution.weight_errors is None, *fit.metrics.items())
        )
        if kind != "collinear":
            results.add((bytes_of(fit),))
    assert len(results) == (1 if kind == "collinear" else 2)


def test_the_order_of_a_reduction_depends_on_nothing_but_the_number_of_items() -> None:
    def pair(one: str, other: str) -> str:
        return f"({one}{other})"

    assert reduced("abcdefg", pair) == "(((ab)(cd))((ef)g))"
    for run in (1, 2, 4, 8):
        runs = [reduced("abcdefg"[start : start + run], pair) for start in range(0, 7, run)]
        assert reduced(runs, pair) == reduced("abcdefg", pair)
    with pytest.raises(ValueError, match="nothing"):
        reduced("", pair)


# Against NumPy
@pytest.mark.parametrize("rows", [1000, 2 * BLOCK_ROWS + 77])
@pytest.mark.parametrize("bias", [True, False])
def test_coefficients_and_metrics_of_complete_rows_by_part(rows: int, bias: bool) -> None:
    features, target = noisy(rows, missing=60)
    fractions = (0.6, 0.2, 0.2)
    settings = TrainSettings(dtype=Precision.FLOAT64, bias=bias, seed=5)
    fit = fit_exactly(table(features, target), settings, fractions, shuffled=True)
    split = BlockSplit(fractions=fractions, seed=5)
    places = [split.part_of_row(start, min(BLOCK_ROWS, rows - start)) for start in range(0, rows, BLOCK_ROWS)]
    part, complete = np.concatenate(places), ~np.isnan(features).any(axis=1)  # type: ignore[arg-type]
    matrix = np.column_stack([features, np.ones(rows)]) if bias else features
    used = complete & (part == 0)
    wanted = np.linalg.lstsq(matrix[used], target[used], rcond=None)[0]
    got = np.append(fit.solution.weight, fit.solution.bias) if bias else fit.solution.weight
    np.testing.assert_allclose(got, wanted, rtol=1e-10)
    assert list(fit.metrics) == ["train", "validation", "test"]
    for place, metrics in enumerate(fit.metrics.values()):
        here = complete & (part == place)
        error = matrix[here] @ wanted - target[here]
        assert metrics.rows == here.sum() == fit.survey.part_rows[place]
        assert metrics.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
        assert metrics.mae == pytest.approx(np.abs(error).mean(), rel=1e-9)
        assert metrics.r2 == pytest.approx(1 - np.sum(error**2) / np.sum((target[here] - target[here].mean()) ** 2))
    assert fit.survey.rows == rows
    assert fit.survey.low.tolist() == [*features[complete].min(axis=0), target[complete].min()]
    assert fit.survey.high.tolist() == [*features[complete].max(axis=0), target[complete].max()]


def test_metrics_of_a_target_that_drifts_far_from_zero() -> None:
    """Blocks have means of 1e15, 1e15 + 100, ...: their differences must survive."""
    rows = 3 * BLOCK_ROWS
    x = np.arange(float(rows))
    noise = np.random.default_rng(1).integers(-50, 50, rows)
    target = 1e15 + np.floor(x / 1000) + noise
    fit = fit_exactly(table(x[:, None], target), WIDE, (1.0,), shuffled=False)
    near = target - 1e15
    error = near - np.polyval(np.polyfit(x, near, 1), x)
    assert fit.metrics["train"].r2 == pytest.approx(1 - np.sum(error**2) / np.sum((near - near.mean()) ** 2), abs=1e-4)


def test_the_identity_is_of_names_and_used_values_in_blocks() -> None:
    features, target = noisy(BLOCK_ROWS + 10, missing=3)
    features[5, 0] = np.array([0x7FF8_0000_0000_0001], np.uint64).view(np.float64)[0]  # another NaN
    fit = fit_exactly(table(features, target), WIDE, (1.0,), shuffled=False)
    values = np.column_stack([features, target])
    values[np.isnan(values)] = np.nan
    digests = [
        hashlib.sha256(values[start : start + BLOCK_ROWS].T.astype("<f8").tobytes()).digest()
        for start in (0, BLOCK_ROWS)
    ]
    names = ("x0", "x1", "x2", "y")
    wanted = hashlib.sha256(json.dumps(list(names)).encode() + b"".join(digests)).hexdigest()
    assert fit.survey.identity(names) == wanted
    assert fit.survey.identity(("x1", "x0", "x2", "y")) != wanted


# NIST
@pytest.mark.parametrize("name", ["Norris", "Longley", "Wampler1", "Wampler5"])
def test_certified_digits_tiled_a_thousand_times(name: str) -> None:
    features, target, certified, _ = nist(name)
    fit = fit_exactly(
        table(np.tile(features, (1000, 1)), np.tile(target, 1000)), WIDE, (1.0,), shuffled=False, workers=2
    )
    got = [fit.solution.bias, *fit.solution.weight]
    assert min(digits(value, wanted) for value, (wanted, _) in zip(got, certified, strict=True)) >= 10


# Collinear and nearly so
def dummies(rows: int) -> tuple[Array, set[str]]:
    member = (np.random.default_rng(1).random(rows) < 0.1).astype(float)
    return np.stack([member, 1 - member], axis=1), {"x0", "x1", INTERCEPT}


def constant(rows: int) -> tuple[Array, set[str]]:
    return np.stack([np.random.default_rng(2).normal(size=rows), np.full(rows, 7.0)], axis=1), {"x1", INTERCEPT}


def one_row_apart(rows: int) -> tuple[Array, set[str]]:
    x = (np.arange(rows) > 0).astype(float)
    return np.stack([x, 2 * x - 1], axis=1), {"x0", "x1", INTERCEPT}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rows", [1000, 10_001, 20_000, 1_200_000])
@pytest.mark.parametrize("kind", [dummies, constant, one_row_apart])
def test_collinear_columns_are_named_for_any_rows_and_workers(kind, rows: int, workers: int) -> None:
    features, involved = kind(rows)
    target = 1 + np.random.default_rng(3).normal(size=rows)
    with pytest.raises(TrainingError) as raised:
        fit_exactly(table(features, target), TABLE_DEFAULTS, (1.0,), shuffled=False, workers=workers)
    named = str(raised.value).partition("each other: ")[2].partition(";")[0].split(", ")
    assert set(named) == involved
    assert len(named) == len(involved)


def test_near_collinearity_is_warned_of_with_condition_number_and_columns() -> None:
    generator = np.random.default_rng(4)
    a, b, c = generator.normal(size=(3, 5000))
    features = np.stack([a, b, a + 1e-9 * c], axis=1)
    fit = fit_exactly(table(features, b + generator.normal(size=5000)), WIDE, (1.0,), shuffled=False)
    near = fit.solution.near
    assert near is not None
    assert near.columns == ("x0", "x2")
    matrix = np.column_stack([features, np.ones(5000)])
    assert near.condition == pytest.approx(np.linalg.cond(matrix / np.linalg.norm(matrix, axis=0)), rel=1e-3)
    (warning, *_) = fit.warnings
    assert warning == (
        "nearly collinear columns (x0, x2): condition number 2e+09, so at most 6 digits of their coefficients are known"
    )
    features[:, 2] = a + 1e-6 * c
    assert fit_exactly(table(features, b + c), WIDE, (1.0,), shuffled=False).solution.near is None


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (2e15, "so no digit of their coefficients is known"),
        (2e14, "so at most 1 digit of their coefficients is known"),
        (2e13, "so at most 2 digits of their coefficients are known"),
    ],
)
def test_known_digits_are_16_less_those_of_the_condition_number(condition: float, words: str) -> None:
    near = NearCollinearity(columns=("a", "b"), condition=condition)
    solution = LeastSquares(
        weight=np.ones(2),
        bias=0.0,
        weight_errors=None,
        bias_error=None,
        residual_norm=0.0,
        rank=2,
        collinear=(),
        near=near,
    )
    (warning,) = warnings_of(solution)
    assert warning.endswith(words)


def test_filip_is_nearly_collinear() -> None:
    data = np.loadtxt(TESTS / "data" / "filip.csv", delimiter=",", skiprows=1)
    fit = fit_exactly(table(data[:, 1:] ** np.arange(1, 11), data[:, 0]), WIDE, (1.0,), shuffled=False)
    assert fit.solution.near is not None
    assert fit.solution.collinear == ()
    assert 1e9 < fit.solution.near.condition < 1e11


# Refusals
@pytest.mark.parametrize(
    ("features", "target", "message"),
    [
        ([1.0, np.nan, np.nan], [1.0, 2.0, 3.0], "X: has 1 complete row, expected at least 2"),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], "X: the target 'y' is 5 in every row; there is nothing to fit"),
        ([1.0, np.nan, 3.0], [5.0, 6.0, 5.0], "X: the target 'y' is 5 in every row"),
        ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0], "--split: 3 rows give parts of 2/0 complete rows"),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 6.0], "the target 'y' is constant in the training part"),
    ],
)
def test_tables_with_nothing_to_fit(features: list[float], target: list[float], message: str) -> None:
    with pytest.raises(DataError) as raised:
        fit_exactly(table(np.array(features)[:, None], np.array(target)), WIDE, (0.8, 0.2), shuffled=False)
    assert str(raised.value).startswith(message)


def test_a_value_beyond_the_dtype_is_found_in_any_part() -> None:
    features, target = noisy(1000)
    features[990, 1] = 1e39
    with pytest.raises(DataError, match=r"column 'x1' has values that exceed torch\.float32; use --dtype float64"):
        fit_exactly(table(features, target), TABLE_DEFAULTS, (0.8, 0.2), shuffled=False)


def test_arrays_are_the_case_of_one_block() -> None:
    features, target = noisy(1000)
    passed = fit_exactly(table(features, target), WIDE, (1.0,), shuffled=False).solution
    problem = problem_of(features, target)
    assert problem.columns == 4
    from linreg.least_squares import solve

    assert solve(features, target, names=("x0", "x1", "x2")).weight.tobytes() == passed.weight.tobytes()
