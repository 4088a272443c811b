"""Verify the bytes on disk against the float64 oracle, at many batch sizes and scales, within a budget."""

import time
from collections.abc import Callable

from export.proof.affine import verify_affine
from export.proof.budget import ALL
from export.proof.verification import Verification
from export.runners.base import Runner
from export.source.source import Source

BeginCase = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    """Report nothing."""


def verify(
    runner: Runner,
    source: Source,
    *,
    unoptimised: Runner | None = None,
    budget_s: float = ALL,
    begin: BeginCase = no_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> Verification:
    """Compare the outputs of a saved file's runner with the oracle, and its parameters with the state_dict.

    Args:
        runner: the file, loaded.
        source: what it was exported from.
        unoptimised: the file loaded without graph optimisation, to compare each case with it as well.
        budget_s: time after which no other case is tried, for a module that is not affine. The least (three batch
            sizes, and the user's own inputs) is tried whatever it takes.
        begin: called as `begin(done, total)` as each case of a module that is not affine begins.
        clock: what `budget_s` is measured with.

    Raises:
        MismatchError: a parameter differs, or an output's shape, dtype, class or value. For an output, the message
            names the first difference, and the error's `inputs` holds the inputs of that case.
        ExportError: the module returns nothing.
        InexactError: the module's own error is too large to prove anything for ordinary inputs or the user's own.
    """
    if source.affine is not None:
        return verify_affine(runner, source, unoptimised)
    from export.proof.network import verify_network

    return verify_network(runner, source, unoptimised, budget_s, begin, clock)
