"""The penguins, and what Python's onnxruntime predicts for them, which every deployed program must give to the bit."""

import numpy as np
import onnxruntime

from tests.conftest import PENGUINS
from tests.deploy.bundles import FEATURES, REFERENCE

MODEL = REFERENCE / "penguins" / "model.onnx"


def penguin_rows() -> list[dict[str, str]]:
    """The complete rows of the penguins."""
    header, *rows = (line.split(",") for line in PENGUINS.read_text().splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows if "NA" not in row[2:6]]


def pythons_predictions(rows: list[dict[str, str]]) -> np.ndarray:
    return _computed([[float(row[name]) for name in FEATURES] for row in rows])


def prediction_at_first() -> str:
    """The prediction for what the form holds at first: the middle of each range of the card, with three digits."""
    return prediction_of(45.9, 17.3, 202)


def prediction_of(*values: float) -> str:
    """The prediction for one row, with the nine digits that the programs print."""
    return f"{_computed([list(values)])[0]:.9g}"


def first_prediction() -> str:
    """The prediction for the first penguin, as text."""
    return prediction_of(39.1, 18.7, 181)


def _computed(rows: list[list[float]]) -> np.ndarray:
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": np.array(rows).astype(np.float32)})[0][:, 0]


def predicted(out: bytes) -> np.ndarray:
    return np.array([float(line) for line in out.split()]).astype(np.float32)
