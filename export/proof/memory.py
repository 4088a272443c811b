"""Estimate how much memory the proof of a case takes, as measured at the sizes of the example."""

from functools import lru_cache

from export.source.axes import BATCH, Sizes
from export.source.source import Source
from linreg.errors import LinregError
from linreg.memory import available_bytes

SEED = 20261123

LIMIT_BYTES = 6 * 10**8
"""A case that would need more is not tried, unless the budget is `all`."""

COPIES_OF_ACTIVATIONS = 2
"""The float64 activations, and as much again for perturbed arguments and the activations of the runtime."""

COPIES_OF_OUTPUTS = 10
"""Arrays of the size of the float64 outputs that live together while the bound is computed and compared."""


def bytes_at(source: Source, sizes: Sizes) -> int:
    """Estimate the memory that the proof of one case takes at once.

    Activations and outputs grow with the size of the batch. Along any other axis they may grow with its square, as
    in attention, so the estimate rather exceeds what the case takes.

    Returns:
        Bytes; 0 for a module that does not run in float64, whose proof ends with that error.
    """
    if source.affine is not None:
        rows, features = source.affine.weight.shape
        return int(8 * sizes.get(BATCH, 1) * (COPIES_OF_ACTIVATIONS * features + COPIES_OF_OUTPUTS * rows))
    return _scaled(source, sizes, _example_bytes(source)[0])


def chunk_rows(source: Source, sizes: Sizes, limit_bytes: int | None) -> int | None:
    """Return how many rows are proved at a time to stay within a limit of memory, while the file runs on all of them.

    Returns:
        The number of rows; all of them if they fit. None if the file's own run does not fit beside one row of the
        proof, or rows depend on each other, or the module is a large affine map.
    """
    rows = sizes.get(BATCH, 1)
    if limit_bytes is None or bytes_at(source, sizes) <= limit_bytes:
        return rows
    if source.affine is not None:
        return None
    left = limit_bytes - _scaled(source, sizes, _example_bytes(source)[1])
    fit = left // max(1, bytes_at(source, {**sizes, BATCH: 1})) if BATCH in sizes else 0
    from export.proof.oracle import oracle_of

    return min(rows, fit) if fit >= 1 and oracle_of(source).rows_are_independent() else None


def _scaled(source: Source, sizes: Sizes, example_bytes: int) -> int:
    example, needed = source.sizes(), float(example_bytes)
    for name, size in sizes.items():
        ratio = size / max(1, example[name])
        needed *= ratio if name == BATCH else max(ratio, ratio**2)
    return int(needed)


@lru_cache(maxsize=1)
def _example_bytes(source: Source) -> tuple[int, int]:
    """Measure activations and outputs in float64 at the sizes of the example.

    Returns:
        The bytes of all copies of them in a proof, and those of a run of the file, whose two sessions keep memory for
        them in half the precision, beside the outputs of both.
    """
    from export.proof.live_bytes import LiveBytes
    from export.proof.oracle import oracle_of

    inputs, oracle = source.random_inputs(source.sizes(), 1.0, SEED), oracle_of(source)
    try:
        with LiveBytes() as live:
            outputs = oracle.float64.outputs(inputs)
    except LinregError:
        return 0, 0
    kept = sum(output.nbytes for output in outputs)
    return COPIES_OF_ACTIVATIONS * live.peak + COPIES_OF_OUTPUTS * kept, live.peak + kept


def limit_bytes(*, everything: bool) -> int | None:
    """Memory that one case may take; None if the system does not say how much there is.

    Args:
        everything: use all that is available, and not at most `LIMIT_BYTES`.
    """
    there = available_bytes()
    if everything:
        return there
    return LIMIT_BYTES if there is None else min(there, LIMIT_BYTES)
