"""Datasets for the tests of splits and scalers."""

import numpy as np

from linreg.data import Dataset


def numbered(rows, *, features=2):
    """Rows that can be told apart: target i, features i + 0.25, i + 0.5, ..."""
    target = np.arange(rows, dtype=np.float64)
    names = tuple(f"x{place}" for place in range(features))
    return Dataset(
        features=target[:, None] + np.arange(1, features + 1) / 4,
        target=target,
        feature_names=names,
        target_name="y",
        table=None,
        sha256="",
    )


def sizes(parts):
    return {name: len(part.target) for name, part in parts.items()}
