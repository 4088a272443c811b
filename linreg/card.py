"""The card: what a state_dict means, enough to rebuild the module and to feed it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from linreg.config import Architecture, Precision
from linreg.errors import ModelError

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Card:
    """card.json.

    Attributes:
        architecture: of the model.
        features: names, in the order of the columns.
        target: name of what is predicted.
        bias: whether the model has one.
        dtype: of the parameters.
        state_sha256: the identity of the weights.
        data: where the model comes from: kind, sha256, rows, split; for a line its parameters.
        training: the settings that were used.
        coefficients: name, value and standard error (null where there is none), the bias last.
        metrics: rows, r2, rmse and mae by part.
        history: rows of epoch, train_loss and test_loss.
        schema_version: of this file.
    """

    architecture: Architecture
    features: tuple[str, ...]
    target: str
    bias: bool
    dtype: Precision
    state_sha256: str
    data: dict[str, Any]
    training: dict[str, Any]
    coefficients: list[dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    history: list[dict[str, Any]]
    schema_version: int = SCHEMA_VERSION


_TYPES: dict[str, type] = {
    "architecture": str,
    "features": list,
    "target": str,
    "bias": bool,
    "dtype": str,
    "state_sha256": str,
    "data": dict,
    "training": dict,
    "coefficients": list,
    "metrics": dict,
    "history": list,
    "schema_version": int,
}


def card_from_json(path: Path, value: dict[str, Any]) -> Card:
    """Check and rebuild a card.

    Raises:
        ModelError: a key is missing, of the wrong type or unknown, or the card is of a later schema.
    """
    version = value.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(f"{path}: has schema {version}, this linreg reads up to {SCHEMA_VERSION}; update linreg")
    names = {field.name for field in fields(Card)}
    if set(value) != names:
        raise ModelError(
            f"{path}: missing keys {sorted(names - set(value))}, unexpected {sorted(set(value) - names)[:5]}; train again"
        )
    for name, kind in _TYPES.items():
        if type(value[name]) is not kind:
            raise ModelError(f"{path}: {name!r} is {type(value[name]).__name__}, expected {kind.__name__}; train again")
    if not value["features"] or not all(isinstance(name, str) for name in value["features"]):
        raise ModelError(f"{path}: 'features' must be a list of names; train again")
    try:
        architecture, dtype = Architecture(value["architecture"]), Precision(value["dtype"])
    except ValueError as error:
        raise ModelError(f"{path}: {error}; train again") from None
    return Card(**{**value, "architecture": architecture, "dtype": dtype, "features": tuple(value["features"])})
