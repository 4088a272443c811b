"""Compute once which outputs every row must give, and pass them to each process in a file.

For each batch size, the file holds the inputs and, for every output, the values of the float64 oracle, the allowed
error, a mask of elements at which any finite, infinite or NaN output passes, and eager's output.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.proof.alternatives import alternatives_of
from export.proof.comparison import ExpectedOutput
from linreg.config import MAX_STATE_BYTES
from linreg.errors import ExportError
from linreg.files import read_bytes, write_atomic

if TYPE_CHECKING:
    from export.source.source import Source

Array = NDArray[Any]

SEED = 20261123
FIELDS = ("values", "allowed", "any_class", "eager")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The inputs and expected outputs of one subject at one batch size.

    Attributes:
        inputs: one array per input.
        outputs: expected values and allowed error of each output, as `linreg verify` computes them.
        output_names: names of the outputs in the graph.
    """

    inputs: tuple[Array, ...]
    outputs: tuple[ExpectedOutput, ...]
    output_names: tuple[str, ...]


def write_expected(path: Path, source: "Source", batches: tuple[int, ...]) -> None:
    """Compute the expected outputs of a source at each batch size, and write them to a file.

    The inputs are the user's own of that size, or else random.

    Raises:
        ExportError: the module does not run at one of the batch sizes, or its outputs do not fit into memory.
        InexactError: the module's own rounding error is too large for any comparison.
    """
    from export.proof.oracle import Oracle
    from export.proof.runnable import check_sizes
    from export.source.axes import BATCH
    from export.source.own_inputs import sizes_of

    _check_memory(source, batches)
    check_sizes(
        source, [source.sizes(batch=batch) for batch in batches], "choose others with --batch, or check --input"
    )
    oracle = Oracle(source)
    own = {sizes_of(source.inputs, given.arrays)[BATCH]: given.arrays for given in source.own}
    arrays: dict[str, Any] = {"output_names": np.array(source.output_names)}
    for batch in batches:
        inputs = own.get(batch) or source.random_inputs(source.sizes(batch=batch), 1.0, SEED)
        expected = oracle.own_answers(inputs) if batch in own else oracle.answers(inputs, 1.0)
        arrays |= {f"{batch}/input/{place}": array for place, array in enumerate(inputs)}
        for place, output in enumerate(expected):
            arrays |= {f"{batch}/{field}/{place}": getattr(output, field) for field in FIELDS}
            if output.alternatives is not None:
                held = output.alternatives.arrays()
                arrays |= {f"{batch}/alternatives/{place}/{key}": array for key, array in held.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def _check_memory(source: "Source", batches: tuple[int, ...]) -> None:
    from export.proof.memory import bytes_at
    from linreg.memory import available_bytes, in_words

    there = available_bytes()
    if source.affine is not None or there is None:
        return
    for batch in sorted(batches):
        if (needed := bytes_at(source, source.sizes(batch=batch))) > there:
            raise ExportError(
                f"the outputs expected at batch {batch} take about {in_words(needed)} of memory, and "
                f"{in_words(there)} are available; choose smaller batch sizes with --batch"
            )


def read_expected(path: Path) -> dict[int, Expected]:
    """Read the file of `write_expected`, and return the expected outputs by batch size."""
    with np.load(io.BytesIO(read_bytes(path, limit=MAX_STATE_BYTES)), allow_pickle=False) as archive:
        arrays = dict(archive)
    names = tuple(str(name) for name in arrays.pop("output_names"))
    batches = sorted({int(key.split("/")[0]) for key in arrays})
    return {
        batch: Expected(
            inputs=tuple(_numbered(arrays, f"{batch}/input")),
            outputs=tuple(
                ExpectedOutput(
                    **{field: arrays[f"{batch}/{field}/{place}"] for field in FIELDS},
                    alternatives=alternatives_of(_below(arrays, f"{batch}/alternatives/{place}/")),
                )
                for place in range(len(names))
            ),
            output_names=names,
        )
        for batch in batches
    }


def _below(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def _numbered(arrays: dict[str, Array], prefix: str) -> list[Array]:
    return [arrays[f"{prefix}/{place}"] for place in range(sum(key.startswith(f"{prefix}/") for key in arrays))]
