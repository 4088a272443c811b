"""Small problems that the tests of training fit, and least squares by NumPy to compare with."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linreg.config import DeviceChoice, LineSettings, Loss, Method, TrainSettings
from linreg.data import Dataset, Parts, dataset_of_table, split, straight_line
from linreg.reading.tables import read_table
from linreg.training import Fit, fit
from tests.conftest import PENGUINS

Array = NDArray[np.float64]
NUMERIC = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm")
CPU = TrainSettings(device=DeviceChoice.CPU, loss=Loss.MSE, epochs=5)
EXACT = replace(CPU, method=Method.EXACT)
GRADIENT = (Method.SGD, Method.ADAM, Method.LBFGS)
RATES = {Method.SGD: 0.1, Method.ADAM: 0.05, Method.LBFGS: 1.0}


def table(features: Array, target: Array) -> Dataset:
    return Dataset(
        features=features,
        target=target,
        feature_names=tuple(f"x{place}" for place in range(features.shape[1])),
        target_name="y",
        table=None,
        sha256="0" * 64,
    )


def problem(rows: int = 120, columns: int = 3, noise: float = 0.5) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(rows, columns)) * 10.0 ** np.arange(columns) + 5
    return features, features @ np.linspace(1, 2, columns) + 3 + noise * generator.normal(size=rows)


def fitted(features: Array, target: Array, settings: TrainSettings, fractions: tuple[float, ...] = (0.8, 0.2)) -> Fit:
    dataset = table(features, target)
    return fit(dataset, split(dataset, fractions, shuffle_seed=None), settings)


def coefficients(result: Fit) -> Array:
    return np.concatenate([value.detach().double().numpy().ravel() for value in result.model.parameters()])


def least_squares(features: Array, target: Array, *, bias: bool = True) -> Array:
    matrix = np.column_stack([features, np.ones(len(target))]) if bias else features
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0])


# History and progress
def line_parts(fractions: tuple[float, ...] = (0.8, 0.2)) -> tuple[Dataset, Parts]:
    dataset = straight_line(LineSettings())
    return dataset, split(dataset, fractions, shuffle_seed=None)


# Standardise and fold
def penguins(features: tuple[str, ...] | None = NUMERIC) -> tuple[Dataset, Parts]:
    dataset = dataset_of_table("penguins", read_table(PENGUINS, features=features, target="body_mass_g"))
    return dataset, split(dataset, (0.8, 0.2), shuffle_seed=42)
