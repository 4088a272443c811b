"""The exact fit beside scikit-learn's, in one process and one run."""

import time
from statistics import median

import numpy as np
import pytest

from linreg.least_squares import solve

ROWS, FEATURES, PAIRS = 1_000_000, 16, 9
NAMES = tuple(f"x{place}" for place in range(FEATURES))


def table(rows: int, features: int, *, offset: float = 0.0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(20261123)
    x = generator.standard_normal((rows, features)) + offset
    return x, x @ generator.standard_normal(features) + 0.5 + noise * generator.standard_normal(rows)


def test_exact_fit_beside_scikit_learn(benchmark):
    from sklearn.linear_model import LinearRegression

    x, y = table(ROWS, FEATURES)
    answers, theirs, ours = {}, [], []

    def fit_theirs() -> None:
        start = time.perf_counter()
        answers["theirs"] = LinearRegression().fit(x, y)
        theirs.append(time.perf_counter() - start)

    def fit_ours() -> None:
        start = time.perf_counter()
        answers["ours"] = solve(x, y, names=NAMES)
        ours.append(time.perf_counter() - start)

    # Before each round of ours one of theirs; the first pair is the warm-up.
    benchmark.pedantic(fit_ours, setup=fit_theirs, rounds=PAIRS, warmup_rounds=1)
    np.testing.assert_allclose(answers["ours"].weight, answers["theirs"].coef_, rtol=1e-11)
    assert answers["ours"].bias == pytest.approx(answers["theirs"].intercept_, rel=1e-11)
    if benchmark.disabled:
        return
    ratios = [their / our for their, our in zip(theirs[1:], ours[1:], strict=True)]
    benchmark.extra_info.update(
        rows=ROWS,
        features=FEATURES,
        pairs=len(ratios),
        scikit_learn_median_s=median(theirs[1:]),
        ratio_median=median(ratios),
        ratios=[round(ratio, 3) for ratio in ratios],
    )
    assert len(ratios) == PAIRS >= 7
    assert median(ratios) >= 2
