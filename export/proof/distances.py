"""How far the elements of two outputs are apart, where both are finite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def largest_element(array: Array) -> float:
    """Return the largest finite magnitude; 0 for integers, and without one."""
    if array.dtype.kind != "f":
        return 0.0
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))


def errors_of(eager: Array, wide: Array) -> Array:
    """Return the error of each element; 0 for integers, and where an element is not finite."""
    return distance_of(eager.astype(wide.dtype), wide)


def distance_of(perturbed: Array, exact: Array) -> Array:
    """Return how far each element moved; 0 for integers, and for elements whose distance is not finite."""
    if exact.dtype.kind != "f":
        return np.zeros(exact.shape)
    with np.errstate(invalid="ignore"):
        distance: Array = np.abs(perturbed - exact)
    return np.where(np.isfinite(distance), distance, 0.0)
