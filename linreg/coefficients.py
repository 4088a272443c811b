"""The coefficients of a fitted model and, if the exact method was used, their uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg.affine import Affine
from linreg.card import BIAS_NAME, Card

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One coefficient.

    Attributes:
        name: name of the feature, or "(bias)".
        value: value in the model.
        standard_error: from the exact method, in the unit of `value`; None for a gradient method, collinear columns or
            no degrees of freedom.
        t: value / standard error; None if the standard error is missing or 0.
        p: two-sided p-value of the hypothesis that the coefficient is 0; None if `t` is None.
        interval: the 95 % confidence interval; None if there is no standard error.
        true_value: the coefficient that a straight line was made with; None for other data.
    """

    name: str
    value: float
    standard_error: float | None = None
    t: float | None = None
    p: float | None = None
    interval: tuple[float, float] | None = None
    true_value: float | None = None


def coefficients_of(card: Card) -> tuple[Coefficient, ...]:
    """Return the coefficients that a card lists, with the bias last.

    t, p and interval are those of ordinary least squares: Student's t with (rows - coefficients) degrees of freedom,
    where rows is the number of rows in the training part.
    """
    truth: Mapping[str, float] = {}
    if card.data["kind"] == "line":
        truth = {card.features[0]: card.data["line"]["weight"], BIAS_NAME: card.data["line"]["bias"]}
    rows = card.metrics.get("train", {}).get("rows", 0)
    freedom = rows - len(card.coefficients)
    return tuple(_coefficient(entry, freedom, truth.get(entry["name"])) for entry in card.coefficients)


def unnamed_coefficients(affine: Affine) -> tuple[Coefficient, ...]:
    """Return the coefficients of a model without a card, named x0, x1, ..., with the bias last."""
    named = [(f"x{place}", value) for place, value in enumerate(affine.weight[0])]
    named += [] if affine.bias is None else [(BIAS_NAME, affine.bias[0])]
    return tuple(Coefficient(name=name, value=float(value)) for name, value in named)


def _coefficient(entry: Mapping[str, Any], freedom: int, true_value: float | None) -> Coefficient:
    name, value, error = entry["name"], float(entry["value"]), entry["standard_error"]
    if error is None or freedom < 1:
        return Coefficient(name=name, value=value, standard_error=error, true_value=true_value)
    from scipy.special import stdtr, stdtrit  # scipy.stats, which calls these, takes much longer to import

    t = p = None
    if error > 0:
        with np.errstate(over="ignore"):
            ratio = float(np.float64(value) / error)
        if np.isfinite(ratio):
            t, p = ratio, float(2 * stdtr(freedom, -abs(ratio)))
    reach = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    interval = (value - reach, value + reach)
    return Coefficient(
        name=name,
        value=value,
        standard_error=error,
        t=t,
        p=p,
        interval=interval if np.isfinite(interval).all() else None,
        true_value=true_value,
    )
