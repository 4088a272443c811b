"""What a proof shows about a file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.proof.reach import Weights


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was proved about a file.

    Attributes:
        worst_error: the largest error, as a multiple of the error allowed; at most 1.
        bytes_equal: every output of every case has the same bytes as eager's; None if torch was not loaded, so that
            they were not compared.
        cases: the number of cases compared.
        parameters_kept: how many tensors of the state_dict are in the file, bit for bit; an exporter may fold others.
        weights: what was proved about all tensors of the state_dict; None for an affine module.
        not_judged: cases, at the smallest or largest input scale, that prove nothing because the module's own rounding
            error is too large (for example, a saturated activation).
        ties: the number of cases with whole numbers, such as the labels of topk, that differ from eager's where the
            values that they come from tie within the allowed error.
        not_tried: cases, or whole batch sizes, that would exceed the budget of time or memory, with what they would
            take: `batch 4096 (about 40 min)`.
        sizes: the sizes of the dynamic axes that were tried.
        optimisation: onnxruntime's levels of graph optimisation at which every case was compared; empty if the runner
            alone was compared.
        cannot_fail: comparisons that hold for a wrong file too, such as an output that is 0 in every case.
    """

    worst_error: float
    bytes_equal: bool | None
    cases: int
    parameters_kept: int
    weights: "Weights | None" = None
    not_judged: tuple[str, ...] = ()
    ties: int = 0
    not_tried: tuple[str, ...] = ()
    sizes: tuple[dict[str, int], ...] = ()
    optimisation: tuple[str, ...] = ()
    cannot_fail: tuple[str, ...] = ()
