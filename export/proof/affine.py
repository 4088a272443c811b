"""Verify a file of an affine map. Its cases are always all tried, and torch is not needed."""

import sys
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from export.formats.names import Format
from export.proof.allowed_error import affine_output
from export.proof.cases import Case, planned_cases
from export.proof.comparison import Comparison, ExpectedOutput, compare_outputs, run_case, worst_of
from export.proof.file_tensors import same_bits
from export.proof.not_tried import too_large
from export.proof.optimisation import LEVELS, at_each_end
from export.proof.sizes import sizes_within
from export.proof.verification import Verification
from export.runners.base import Runner
from export.source.source import Source
from linreg.errors import MismatchError

if TYPE_CHECKING:
    from export.proof.oracle import Oracle

Array = NDArray[Any]

OF_TORCH = (Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2)
"""The formats that torch writes and runs."""


class AffineOracle:
    """Computes the outputs of an affine map in float64, and the error allowed for each element, without torch."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[ExpectedOutput, ...]:
        """Compute the expected output, and the error allowed for each element."""
        del scale  # the bound is proved, whatever the values
        assert self.source.affine is not None
        return (affine_output(self.source.affine, inputs[0]),)

    own_answers = narrow_answers = answers


@lru_cache(maxsize=1)
def affine_oracle_of(source: Source) -> "AffineOracle | Oracle":
    """Return the oracle of an affine map; if torch is loaded, it also computes the outputs of eager mode."""
    if "torch" not in sys.modules:
        return AffineOracle(source)
    from export.proof.oracle import oracle_of

    return oracle_of(source)


def load_eager(kinds: Collection[Format]) -> None:
    """Import torch if one of the formats needs it, so that the files of all formats are compared with eager mode."""
    if any(kind in OF_TORCH for kind in kinds):
        import torch  # noqa: F401


def verify_affine(runner: Runner, source: Source, unoptimised: Runner | None) -> Verification:
    """Do what `export.proof.verify.verify` documents, for an affine map."""
    kept = _check_parameters(runner, source)
    tried = sizes_within(source)
    planned = planned_cases(source, tried)
    found = [_judged(runner, source, case.make(), unoptimised) for case in planned]
    whole = worst_of(found)
    return Verification(
        worst_error=whole.worst_error,
        bytes_equal=whole.bytes_equal,
        cases=len(found),
        parameters_kept=kept,
        sizes=tuple(dict(entry.sizes) for entry in tried),
        not_tried=tuple(too_large(source, tried)),
        optimisation=() if unoptimised is None else LEVELS,
    )


def _check_parameters(runner: Runner, source: Source) -> int:
    """Check that a file holds every parameter bit for bit; return how many there are.

    Raises:
        MismatchError: one is missing or differs.
    """
    state, found = source.state(), runner.parameters()
    if absent := [key for key in state if key not in found]:
        raise MismatchError(f"{runner.name}: has no parameter {absent[0]!r}, expected that of the state_dict")
    for key, wanted in state.items():
        if not same_bits(found[key], wanted):
            raise MismatchError(f"{runner.name}: parameter {key!r} differs from the state_dict; export again")
    return len(state)


def _judged(runner: Runner, source: Source, case: Case, unoptimised: Runner | None) -> Comparison:
    """Compare one case with what is expected.

    Raises:
        MismatchError: an output differs; the error's `inputs` holds those of the case.
    """
    expected = affine_oracle_of(source).answers(case.inputs, case.scale)
    names = tuple(map(repr, source.output_names))

    def compare(one: Runner) -> Comparison:
        return compare_outputs(f"{runner.name}: {case.name}", names, run_case(one, case.inputs, case.name), expected)

    try:
        return worst_of(at_each_end(compare, runner, unoptimised))
    except MismatchError as error:
        error.inputs = dict(zip([entry.name for entry in source.inputs], case.inputs, strict=True))
        raise
