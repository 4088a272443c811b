"""The card of a model holds all that is needed to rebuild the module and to prepare its inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from linreg.config import Architecture, LineSettings, Loss, Method, Precision
from linreg.errors import DataError, ModelError
from linreg.reading.options import ReadOptions, from_record

SCHEMA_VERSION = 1
BIAS_NAME = "(bias)"
"""The name of the bias among the coefficients."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The contents of card.json.

    Attributes:
        architecture: architecture of the model.
        features: feature names, in column order.
        target: name of the target.
        bias: whether the model has a bias.
        dtype: dtype of the parameters.
        state_sha256: SHA-256 that identifies the weights.
        data: the training data: kind, sha256, rows, split, and the range of each
            feature; for a line also its parameters.
        training: training settings.
        coefficients: name, value and standard error (null if there is none) of each coefficient, the bias last.
        metrics: rows, r2, rmse and mae of each part.
        history: epoch, train_loss and test_loss of each recorded epoch.
        schema_version: version of the format of card.json.
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

    @property
    def read(self) -> ReadOptions:
        """How the cells of the training table were written."""
        return from_record(self.data.get("read", {}))

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Minimum and maximum of each feature in the training data; empty for a card that lacks them."""
        ends = {entry["name"]: (entry["minimum"], entry["maximum"]) for entry in self.data.get("ranges", [])}
        return tuple(ends[name] for name in self.features) if ends.keys() >= set(self.features) else ()


def ranges_of(features: Iterable[str], low: Iterable[float], high: Iterable[float]) -> list[dict[str, Any]]:
    """Return what the data of a card says about the values of each feature: name, minimum and maximum."""
    found = zip(features, low, high, strict=True)
    return [{"name": name, "minimum": float(least), "maximum": float(most)} for name, least, most in found]


_TEXT, _WHOLE, _YES_NO = (str,), (int,), (bool,)
_NUMBER = (float, int)
_MAYBE = (float, int, type(None))

_KEYS: dict[str, tuple[type, ...]] = {
    "architecture": _TEXT,
    "features": (list,),
    "target": _TEXT,
    "bias": _YES_NO,
    "dtype": _TEXT,
    "state_sha256": _TEXT,
    "data": (dict,),
    "training": (dict,),
    "coefficients": (list,),
    "metrics": (dict,),
    "history": (list,),
    "schema_version": _WHOLE,
}
# Keys that the commands read; other keys are allowed.
_DATA = {"kind": _TEXT, "sha256": _TEXT, "split": _TEXT, "shuffled": _YES_NO}
_LINE = {field.name: _NUMBER for field in fields(LineSettings)}
_TRAINING = {"method": _TEXT, "loss": _TEXT, "seed": _WHOLE}
_COEFFICIENT = {"name": _TEXT, "value": _NUMBER, "standard_error": _MAYBE}
_RANGE = {"name": _TEXT, "minimum": _NUMBER, "maximum": _NUMBER}
_METRICS = {"rows": _WHOLE, "r2": _MAYBE, "rmse": _NUMBER, "mae": _NUMBER}
_HISTORY = {"epoch": _WHOLE, "train_loss": _NUMBER, "test_loss": _MAYBE}


def card_from_json(path: Path, value: dict[str, Any]) -> Card:
    """Parse and check a card.

    Raises:
        ModelError: a key is missing, unknown or of the wrong type, or the card has a later schema.
    """
    version = value.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(f"{path}: has schema {version}, this linreg reads up to {SCHEMA_VERSION}; update linreg")
    try:
        if surplus := set(value) - set(_KEYS):
            raise ValueError(f"unexpected keys {[key[:60] for key in sorted(surplus)[:5]]}")
        _check(value, _KEYS, "the card")
        if not value["features"] or not all(isinstance(name, str) for name in value["features"]):
            raise ValueError("'features' must be a list of names")
        _check_inside(value)
        architecture, dtype = Architecture(value["architecture"]), Precision(value["dtype"])
    except ValueError as error:
        raise ModelError(f"{path}: {error}; train again") from None
    return Card(**{**value, "architecture": architecture, "dtype": dtype, "features": tuple(value["features"])})


def _check_inside(value: dict[str, Any]) -> None:
    data, training = value["data"], value["training"]
    _check(data, _DATA, "'data'")
    if data["kind"] not in ("line", "table"):
        raise ValueError(f"'data' is of kind {data['kind'][:60]!r}, expected 'line' or 'table'")
    try:
        from_record(data.get("read", {}))
    except DataError as error:
        raise ValueError(f"'read': {error}") from None
    if data["kind"] == "line":
        _check(data.get("line"), _LINE, "'line'")
        if surplus := set(data["line"]) - set(_LINE):
            raise ValueError(f"'line' has unexpected keys {[key[:60] for key in sorted(surplus)[:5]]}")
    _check(training, _TRAINING, "'training'")
    Method(training["method"]), Loss(training["loss"])
    if not 0 <= training["seed"] < 2**63:
        raise ValueError("'seed' is not between 0 and 2^63 - 1")
    if "ranges" in data:  # earlier cards have none
        _check(data, {"ranges": (list,)}, "'data'")
    for entry in data.get("ranges", []):
        _check(entry, _RANGE, "'ranges'")
    for entry in value["coefficients"]:
        _check(entry, _COEFFICIENT, "'coefficients'")
    for entry in value["metrics"].values():
        _check(entry, _METRICS, "'metrics'")
    for entry in value["history"]:
        _check(entry, _HISTORY, "'history'")


def _check(entry: object, wanted: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Check that `entry` is an object with the expected keys, each with a value of an allowed type."""
    if type(entry) is not dict:
        raise ValueError(f"{where} holds {type(entry).__name__}, expected an object")
    for key, kinds in wanted.items():
        if key not in entry:
            raise ValueError(f"{where} has no {key!r}")
        if type(entry[key]) not in kinds:
            raise ValueError(f"{key!r} is {type(entry[key]).__name__}, expected {kinds[0].__name__}")
