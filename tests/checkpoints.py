"""Models, cards and damaged archives for the tests of checkpoints."""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from linreg.card import Card
from linreg.checkpoint import files_of, load
from linreg.config import LINE_DEFAULTS, Architecture, LineSettings, Precision
from linreg.errors import ModelError
from linreg.models import LinearRegressionModel, LinearRegressionModelV2
from linreg.state_dict import state_bytes, state_sha256
from tests.module_predictions import arrays_of

Model = LinearRegressionModel | LinearRegressionModelV2


def card_of(model: Model, **changed: Any) -> Card:
    parameter = isinstance(model, LinearRegressionModel)
    features = 1 if isinstance(model, LinearRegressionModel) else model.linear_layer.in_features
    values: dict[str, Any] = {
        "architecture": Architecture.PARAMETER if parameter else Architecture.LINEAR,
        "features": tuple(f"x{place}" for place in range(features)),
        "target": "y",
        "bias": len(list(model.parameters())) == 2,
        "dtype": Precision(str(next(model.parameters()).dtype).removeprefix("torch.")),
        "state_sha256": state_sha256(model.state_dict()),
        "data": {"kind": "line", "line": asdict(LineSettings()), "split": "0.8", "shuffled": False, "sha256": "1"},
        "training": {**asdict(LINE_DEFAULTS), "lr": 0.01},
        "coefficients": [],
        "metrics": {},
        "history": [],
    }
    return Card(**{**values, **changed})


def rows(features: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(size=(50, features)) * 1e3


MODELS = [
    (architecture, features, bias, precision)
    for architecture, features, bias in [
        (Architecture.PARAMETER, 1, True),
        (Architecture.LINEAR, 1, True),
        (Architecture.LINEAR, 13, True),
        (Architecture.LINEAR, 13, False),
    ]
    for precision in Precision
]


def told(path: Path) -> str:
    """The message, one line that begins with the name of the file."""
    with pytest.raises(ModelError) as raised:
        load(path)
    message = str(raised.value)
    assert message.startswith(f"{path / 'model.pth' if path.is_dir() else path}: ")
    assert "\n" not in message
    return message


def refused(path: Path) -> str:
    """The same; it does not advise to switch the safety off."""
    message = told(path)
    assert "weights_only" not in message
    return message


def put(path: Path, state: object) -> Path:
    """Save anything at all with torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(state, path)
    return path


SMALL = state_bytes({"weights": torch.tensor([0.7]), "bias": torch.tensor([0.3])})


def save(folder: Path, model: Model, card: Card) -> None:
    """Write a bundle without a manifest."""
    folder.mkdir(exist_ok=True)
    for name, data in files_of(arrays_of(model), card).items():
        (folder / name).write_bytes(data)


def bundle(folder: Path, **changed: Any) -> LinearRegressionModelV2:
    model = LinearRegressionModelV2(2)
    save(folder, model, card_of(model, **changed))
    return model


def v1(**changed: Tensor) -> dict[str, Tensor]:
    return {"weights": torch.ones(1), "bias": torch.ones(1), **changed}


def v2(weight: Tensor, bias: Tensor | None = None) -> dict[str, Tensor]:
    return {"linear_layer.weight": weight, "linear_layer.bias": torch.ones(1) if bias is None else bias}
