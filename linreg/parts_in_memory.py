"""Read the parts of a table into memory, for the gradient methods and for whoever asks a fitted model for its rows."""

import numpy as np
from numpy.typing import NDArray

from linreg.data import Part, Parts
from linreg.problem import PART_NAMES, Problem, rows_of_part

Array = NDArray[np.float64]


def parts_in_memory(problem: Problem) -> Parts:
    """Return the complete rows of each part, in the order of the table.

    Args:
        problem: the table, with its split.
    """
    parts = read_parts(problem)
    return Parts(train=parts["train"], validation=parts.get("validation"), test=parts.get("test"))


def read_parts(problem: Problem) -> dict[str, Part]:
    """Return the complete rows of each part by name."""
    names = PART_NAMES[len(problem.split.fractions)]
    pieces: list[list[Array]] = [[] for _ in names]
    for block in problem.stream.blocks():
        for place, piece in enumerate(pieces):
            piece.append(rows_of_part(problem, block, place))
    return {name: _part(pieces.pop(0)) for name in names}


def _part(pieces: list[Array]) -> Part:
    values = np.concatenate(pieces)
    return Part(features=np.ascontiguousarray(values[:, :-1]), target=values[:, -1].copy())
