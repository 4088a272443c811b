"""What the outputs of the proved cases could show at all."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from export.proof.budget import Spending
from export.proof.cannot_fail import cannot_fail
from export.proof.cases import Case, PlannedCase
from export.proof.comparison import ExpectedOutput
from export.proof.influence import coverage
from export.proof.oracle import oracle_of
from export.proof.weights import FoundWeights
from export.source.axes import BATCH
from export.source.source import Source

Array = NDArray[Any]
Proved = tuple[Case, tuple[ExpectedOutput, ...]]
"""A case that a file has passed, and the outputs expected."""

CASES_OF_COVERAGE = 2
"""How many cases show whether the outputs cover a tensor that is not in a file."""

MAX_ROWS = 16
"""Cases with more rows are too slow for that."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What was proved about the tensors of the state_dict of a module that is not affine.

    Attributes:
        found: how many are in the file, bit for bit in any layout and under any name, or folded.
        folded: how many of these are in tensors computed from them, such as the fold of a BatchNorm, that equal the
            same tensors computed again.
        total: how many have an influence on the outputs, or are in the file.
        covered: keys not found whose small faults move an output beyond its allowed error.
        unproved: keys not found whose small faults may not be seen.
        without_influence: keys not found on which no output depends.
        close: keys among `folded` whose computed tensors are equal only to within a few roundings of each element.
        constants: floating tensors of the file that come from no tensor of the module and no number that an operator
            was given, such as the square root of 2 in GELU; only the outputs show whether they are right.
    """

    found: int
    folded: int
    total: int
    covered: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    without_influence: tuple[str, ...] = ()
    close: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the outputs of the proved cases could show.

    Attributes:
        weights: what was proved about the state_dict; None for an affine module.
        cannot_fail: comparisons that hold for a wrong file too.
        not_tried: what was left out to stay within the budget.
    """

    weights: Weights | None = None
    cannot_fail: tuple[str, ...] = ()
    not_tried: tuple[str, ...] = ()


def reach_of(
    source: Source, found: FoundWeights, proved: list[Proved], planned: list[PlannedCase], spending: Spending
) -> Reach:
    """Find what the outputs could show, within half of the budget that is left, since more cases may follow.

    Args:
        source: the module and its inputs.
        found: the tensors found in the file.
        proved: cases of at most `MAX_ROWS` rows that the file has passed.
        planned: all cases.
        spending: the budget.
    """
    oracle, affords = oracle_of(source), spending.half()
    searched = [key for key in found.missing if key not in found.unused]
    cases = [(case.inputs, expected) for case, expected in proved[-CASES_OF_COVERAGE:]] if searched else []
    rest = coverage(oracle, cases, searched, affords)
    answered = [
        (case.inputs, tuple(output.values for output in expected)) for case, expected in proved if case.scale == 1.0
    ]
    count = len(found.identical) + len(found.folded)
    weights = Weights(
        found=count,
        folded=len(found.folded),
        total=count + len(rest.covered) + len(rest.unproved),
        covered=rest.covered,
        unproved=rest.unproved,
        without_influence=tuple(key for key in found.missing if key in {*rest.without_influence, *found.unused}),
        close=tuple(sorted(found.close)),
        constants=found.constants,
    )
    return Reach(
        weights=weights,
        cannot_fail=cannot_fail(oracle, answered, _largest(planned)),
        not_tried=(f"faults in {rest.not_tried} weights that are not in the file",) if rest.not_tried else (),
    )


def _largest(planned: list[PlannedCase]) -> tuple[Array, ...]:
    """The inputs of the largest scale, in a small case."""
    count = min((case.elements for case in planned if case.sizes.get(BATCH, 2) > 1), default=planned[0].elements)
    made = [case.make() for case in planned if case.elements == count]
    return max(made, key=lambda case: case.scale or 0.0).inputs
