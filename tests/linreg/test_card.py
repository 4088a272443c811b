"""The card: what is written can be read back, and nothing else can be read."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from linreg.card import SCHEMA_VERSION, Card, card_from_json
from linreg.config import LINE_DEFAULTS, Architecture, LineSettings, Precision
from linreg.errors import ModelError
from linreg.json_files import read_json, write_json

Value = dict[str, Any]


def card(**changed: Any) -> Card:
    values: Value = {
        "architecture": Architecture.LINEAR,
        "features": ("x",),
        "target": "y",
        "bias": True,
        "dtype": Precision.FLOAT32,
        "state_sha256": "0" * 64,
        "data": {"kind": "line", "line": asdict(LineSettings()), "split": "0.8", "shuffled": False, "sha256": "1" * 64},
        "training": {**asdict(LINE_DEFAULTS), "lr": 0.01, "device": "cpu"},
        "coefficients": [
            {"name": "x", "value": 0.7, "standard_error": None},
            {"name": "(bias)", "value": 0.3, "standard_error": 0.01},
        ],
        "metrics": {"train": {"rows": 40, "r2": None, "rmse": 0.1, "mae": 0.1}},
        "history": [{"epoch": 0, "train_loss": 0.5, "test_loss": None}],
    }
    return Card(**{**values, **changed})


TABLE = {"kind": "table", "rows": 344, "split": "0.7/0.15/0.15", "shuffled": True, "sha256": "2" * 64}


@pytest.mark.parametrize(
    "written",
    [
        card(),
        card(data=TABLE, features=("bill, length", "größe", "[/]\x1b[31m"), target="a\nb"),
        card(architecture=Architecture.PARAMETER, dtype=Precision.FLOAT64),
        card(bias=False, coefficients=[], metrics={}, history=[]),
        card(metrics={"train": {"rows": 1, "r2": -3, "rmse": 0, "mae": 0}}),
    ],
)
def test_a_card_is_read_as_it_was_written(tmp_path: Path, written: Card) -> None:
    path = tmp_path / "card.json"
    write_json(path, asdict(written))
    read = card_from_json(path, read_json(path))
    assert read == written
    assert isinstance(read.architecture, Architecture)
    assert isinstance(read.dtype, Precision)
    assert read.schema_version == SCHEMA_VERSION == 1


def as_json(path: Path) -> Value:
    write_json(path, asdict(card()))
    return read_json(path)


def put(*keys: Any) -> Callable[[Value], None]:
    """A change: the value at the path of all keys but the last becomes the last."""

    def change(value: Value) -> None:
        *path, last, new = keys
        inner: Any = value
        for key in path:
            inner = inner[key]
        inner[last] = new

    return change


def drop(*keys: Any) -> Callable[[Value], None]:
    def change(value: Value) -> None:
        *path, last = keys
        inner: Any = value
        for key in path:
            inner = inner[key]
        del inner[last]

    return change


BAD = [
    (drop("target"), "the card has no 'target'; train again"),
    (put("more", 1), "unexpected keys ['more']; train again"),
    (put("k" * 1000, 1), f"unexpected keys ['{'k' * 60}']; train again"),
    (put("architecture", "deep"), "'deep' is not a valid Architecture; train again"),
    (put("architecture", None), "'architecture' is NoneType, expected str; train again"),
    (put("dtype", "float16"), "'float16' is not a valid Precision; train again"),
    (put("features", []), "'features' must be a list of names; train again"),
    (put("features", "x"), "'features' is str, expected list; train again"),
    (put("features", ["x", 1]), "'features' must be a list of names; train again"),
    (put("bias", 1), "'bias' is int, expected bool; train again"),
    (put("schema_version", True), "'schema_version' is bool, expected int; train again"),
    (put("schema_version", "1"), "'schema_version' is str, expected int; train again"),
    (put("data", []), "'data' is list, expected dict; train again"),
    (drop("data", "kind"), "'data' has no 'kind'; train again"),
    (drop("data", "sha256"), "'data' has no 'sha256'; train again"),
    (put("data", "kind", "image"), "'data' is of kind 'image', expected 'line' or 'table'; train again"),
    (put("data", "split", 0.8), "'split' is float, expected str; train again"),
    (put("data", "shuffled", 0), "'shuffled' is int, expected bool; train again"),
    (drop("data", "line"), "'line' holds NoneType, expected an object; train again"),
    (drop("data", "line", "step"), "'line' has no 'step'; train again"),
    (put("data", "line", "step", "0.02"), "'step' is str, expected float; train again"),
    (put("data", "line", "curve", 1.0), "'line' has unexpected keys ['curve']; train again"),
    (drop("training", "seed"), "'training' has no 'seed'; train again"),
    (put("training", "seed", 1.5), "'seed' is float, expected int; train again"),
    (put("training", "seed", -1), "'seed' is not between 0 and 2^63 - 1; train again"),
    (put("training", "seed", 2**63), "'seed' is not between 0 and 2^63 - 1; train again"),
    (put("training", "loss", "l7"), "'l7' is not a valid Loss; train again"),
    (put("training", "method", "guess"), "'guess' is not a valid Method; train again"),
    (put("coefficients", 0, 0.7), "'coefficients' holds float, expected an object; train again"),
    (drop("coefficients", 1, "standard_error"), "'coefficients' has no 'standard_error'; train again"),
    (put("coefficients", 0, "value", None), "'value' is NoneType, expected float; train again"),
    (put("metrics", "train", []), "'metrics' holds list, expected an object; train again"),
    (put("metrics", "train", "mae", "0.1"), "'mae' is str, expected float; train again"),
    (put("history", 0, "epoch", 0.5), "'epoch' is float, expected int; train again"),
    (drop("history", 0, "test_loss"), "'history' has no 'test_loss'; train again"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_cards(tmp_path: Path, change: Callable[[Value], None], message: str) -> None:
    path = tmp_path / "card.json"
    value = as_json(path)
    change(value)
    with pytest.raises(ModelError) as raised:
        card_from_json(path, value)
    assert str(raised.value) == f"{path}: {message}"


@pytest.mark.parametrize("key", [field.name for field in fields(Card)])
def test_no_key_can_be_left_out_or_be_of_another_type(tmp_path: Path, key: str) -> None:
    path = tmp_path / "card.json"
    value = as_json(path)
    without = {name: entry for name, entry in value.items() if name != key}
    with pytest.raises(ModelError, match=f"the card has no '{key}'; train again"):
        card_from_json(path, without)
    with pytest.raises(ModelError, match=f"'{key}' is NoneType, expected .*; train again"):
        card_from_json(path, {**value, key: None})


def test_a_later_schema_asks_for_a_later_linreg(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    value = {**as_json(path), "schema_version": 2, "more": 1}
    with pytest.raises(ModelError, match="has schema 2, this linreg reads up to 1; update linreg"):
        card_from_json(path, value)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", "null", '{"a": 1', '{"target": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '"\\ud800', "\ufeff{}"],
)
def test_what_is_not_a_json_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"card\.json: (is not valid JSON|holds a JSON)"):
        read_json(path)


def test_what_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(json.dumps(asdict(card())).encode("utf-16"))
    with pytest.raises(ModelError, match=r"card\.json: is not valid JSON"):
        read_json(path)
