"""Estimate how much memory the proof of a case takes, as measured at the sizes of the example."""

from functools import lru_cache
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from export.proof.oracle import oracle_of
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


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sum the bytes of all tensors made by operators that are alive at the same time.

    Attributes:
        peak: the largest sum so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._sum = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        given = {
            tensor.untyped_storage()._cdata for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in given:
                storage = tensor.untyped_storage()
                self._sum += storage.nbytes() - self._alive.get(storage._cdata, (None, 0))[1]
                self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # type: ignore[no-untyped-call]
        if self._sum > self.peak:  # only then is it worth while to see which of them are gone
            self._alive = {key: entry for key, entry in self._alive.items() if not _gone(entry[0])}
            self._sum = sum(size for _, size in self._alive.values())
            self.peak = max(self.peak, self._sum)
        return result


def _gone(storage: StorageWeakRef) -> bool:
    return bool(storage.expired())  # type: ignore[no-untyped-call]


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
    inputs, oracle = source.random_inputs(source.sizes(), 1.0, SEED), oracle_of(source)
    try:
        with LiveBytes() as live:
            outputs = oracle.exact(inputs)
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
