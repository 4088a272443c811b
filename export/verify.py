"""Compare the bytes on disk with the reference, at many batches, scales and special rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.reference import Reference, affine_reference
from export.runners import Runner, torch_runner
from export.source import Source
from linreg.errors import MismatchError

Array = NDArray[Any]

BATCHES = (1, 2, 7, 64, 4096, 0)
SCALES = (1e-3, 1.0, 1e4)
SPECIAL_VALUES = (np.nan, np.inf, -np.inf, 0.0, -0.0)
SEED = 20261123


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs, and what they are called in messages."""

    name: str
    inputs: tuple[Array, ...]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a file has been shown to do.

    Attributes:
        worst_error: in units of what is allowed; at most 1.
        bytes_equal: every output of every case has the very bytes of eager's.
        cases: how many were run.
    """

    worst_error: float
    bytes_equal: bool
    cases: int


def cases(source: Source, rows: Array | None = None) -> Iterator[Case]:
    """All cases for an affine module.

    Args:
        source: what is verified.
        rows: the user's own rows, shape (batch, features).
    """
    for batch in BATCHES:
        for scale in SCALES[: 1 if batch == 0 else None]:
            inputs = source.random_inputs(batch, scale, SEED + batch)
            yield Case(name=f"batch {batch}, scale {scale:g}", inputs=inputs)
    # A bound over many features cannot see one weight; a row with one feature can.
    unit = np.eye(source.affine.weight.shape[1], dtype=source.affine.weight.dtype)
    yield Case(name="unit rows", inputs=(unit,))
    yield Case(name="unit rows times 1e4", inputs=(unit * unit.dtype.type(1e4),))
    yield Case(name="special rows", inputs=(special_rows(unit.shape[1], unit.dtype),))
    if rows is not None:
        yield Case(name="your rows", inputs=(rows.astype(unit.dtype),))


def special_rows(features: int, dtype: np.dtype[Any]) -> Array:
    """Rows filled with one special value, and rows with one such value among ones; shape (.., features)."""
    limits = np.finfo(dtype)
    values = [*SPECIAL_VALUES, float(limits.smallest_subnormal), float(limits.max), -float(limits.max)]
    filled = np.repeat(np.array(values)[:, None], features, axis=1)
    single = np.ones((len(values), features))
    single[:, 0] = values
    return np.concatenate([filled, single]).astype(dtype)


def verify(runner: Runner, source: Source, *, rows: Array | None = None) -> Verification:
    """Check a runner of a saved file against the reference.

    Raises:
        MismatchError: an output's shape, dtype, class or value differs; the message names the first.
    """
    _check_parameters(runner, source)
    eager = torch_runner("eager", source.module)
    worst, equal, count = 0.0, True, 0
    for case in cases(source, rows):
        outputs = runner.bind(case.inputs).outputs()
        eager_outputs = eager.bind(case.inputs).outputs()
        if len(outputs) != len(source.output_names):
            raise MismatchError(f"{runner.name}: gives {len(outputs)} outputs, expected {len(source.output_names)}")
        reference = affine_reference(source.affine, case.inputs[0])
        worst = max(worst, compare(runner.name, case.name, outputs[0], reference, source.affine.weight.dtype))
        equal &= all(a.tobytes() == b.tobytes() for a, b in zip(outputs, eager_outputs, strict=True))
        count += 1
    return Verification(worst_error=worst, bytes_equal=equal, cases=count)


def compare(name: str, case: str, output: Array, reference: Reference, dtype: np.dtype[Any]) -> float:
    """The worst error of an output in units of what is allowed.

    Raises:
        MismatchError: it exceeds 1, or shape, dtype or class differ.
    """
    if output.shape != reference.values.shape or output.dtype != dtype:
        raise MismatchError(
            f"{name}: {case}: got {output.dtype} of shape {output.shape}, expected {dtype} of {reference.values.shape}"
        )
    got = output.astype(reference.values.dtype)
    finite = np.isfinite(reference.values)
    with np.errstate(invalid="ignore"):
        same_class = np.where(
            finite, np.isfinite(got), (got == reference.values) | (np.isnan(got) & np.isnan(reference.values))
        )
        ratio = np.abs(got - reference.values) / reference.allowed
    ratio = np.where(finite & np.isfinite(got), ratio, 0.0)
    ratio = np.where(same_class | reference.any_class, ratio, np.inf)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    worst = float(ratio.max(initial=0.0))
    if worst > 1:
        place = tuple(int(index) for index in np.unravel_index(int(ratio.argmax()), ratio.shape))
        raise MismatchError(
            f"{name}: {case}: output {place} is {output[place]!s}, expected {reference.values[place]!s} "
            f"within {reference.allowed[place]:.3g}"
        )
    return worst


def _check_parameters(runner: Runner, source: Source) -> None:
    """Parameters in the file are bit-equal to the state_dict, in every format that keeps them."""
    parameters = runner.parameters()
    for key, value in source.module.state_dict().items():
        if key not in parameters:
            raise MismatchError(f"{runner.name}: has no parameter {key!r}, expected that of the state_dict")
        kept, wanted = parameters[key], value.detach().cpu().numpy()
        if kept.dtype != wanted.dtype or kept.size != wanted.size or kept.tobytes() != wanted.tobytes():
            raise MismatchError(f"{runner.name}: parameter {key!r} has other bits than the state_dict; export again")
