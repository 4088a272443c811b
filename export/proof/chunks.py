"""Prove a large batch in chunks of its rows, which the file has answered all at once."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from export.proof.cases import Case
from export.proof.comparison import run_case
from export.proof.oracle import Oracle
from export.runners.base import Call, Runner

Array = NDArray[Any]


def in_chunks(
    oracle: Oracle, case: Case, rows: int, runner: Runner, unoptimised: Runner | None
) -> Iterator[tuple[Case, Runner, Runner | None]]:
    """Yield each chunk as a case, with runners that return the file's answers to it from one run of the whole batch.

    Args:
        oracle: tells which inputs have rows.
        case: the batch; each row of the module's outputs depends on the same row of its inputs only.
        rows: the number of rows of a chunk.
        runner: the file.
        unoptimised: the file without graph optimisation, if there is one.

    Raises:
        MismatchError: the file does not run.
    """
    answers = [None if one is None else run_case(one, case.inputs, case.name) for one in (runner, unoptimised)]
    count = oracle.count(case.inputs)
    for start in range(0, count, rows):
        part = slice(start, min(start + rows, count))
        inputs = oracle.chosen(case.inputs, part)
        name = f"{case.name}, rows {part.start} to {part.stop - 1}"
        yield (
            replace(case, name=name, inputs=inputs),
            _answering(runner, answers[0], part),
            None if unoptimised is None else _answering(unoptimised, answers[1], part),
        )


def _answering(runner: Runner, answers: tuple[Array, ...] | None, part: slice) -> Runner:
    def outputs() -> tuple[Array, ...]:
        return tuple(array[part] for array in answers or ())

    return replace(runner, bind=lambda _: Call(run=outputs, outputs=outputs, context=nullcontext))
