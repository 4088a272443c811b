"""Prove an ONNX file at both ends of onnxruntime's graph optimisation: all of it, which is the default, and none.

An application may use either, and the optimiser has been wrong in released versions.
"""

from collections.abc import Callable
from typing import TypeVar

from export.formats.external_data import ExternalData
from export.formats.names import Format
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from linreg.errors import MismatchError, ModelError

Result = TypeVar("Result")

LEVELS = ("all", "disabled")
"""The levels at which files are proved, as the manifest names them."""

MAX_BYTES = 2**30
"""A larger file is proved with all optimisations only, since a second session holds its weights once more."""


def load_unoptimised(
    kind: Format, name: str, data: bytes, trust: Trust, *, external: ExternalData | None = None
) -> Runner | None:
    """Load an artifact without graph optimisation; None if it is not ONNX, or too large for a second session.

    Args:
        kind: the format of the artifact.
        name: the name used in messages.
        data: the bytes of the artifact.
        trust: why a program may be loaded.
        external: the checked contents of the second file of an ONNX model, which counts for its size.

    Raises:
        MismatchError: onnxruntime cannot load it so.
    """
    weights = {} if external is None else external.arrays
    if kind is not Format.ONNX or len(data) + sum(array.nbytes for array in weights.values()) > MAX_BYTES:
        return None
    try:
        return load_artifact(kind, name, data, trust, "disabled", external=external)
    except ModelError as error:
        raise MismatchError(f"{error}, with graph optimisation disabled") from error


def at_each_end(compare: Callable[[Runner], Result], runner: Runner, unoptimised: Runner | None) -> list[Result]:
    """Compare outputs at each level of optimisation.

    Args:
        compare: runs a runner, and compares its outputs with those expected.
        runner: the file with all optimisations.
        unoptimised: the file without any; None to leave that level out.

    Raises:
        MismatchError: an output differs; the message says at which level, if the other one is right.
    """
    found: list[Result] = []
    failed: list[tuple[str, MismatchError]] = []
    for words, one in (("all graph optimisations", runner), ("graph optimisation disabled", unoptimised)):
        if one is not None:
            try:
                found.append(compare(one))
            except MismatchError as error:
                failed.append((words, error))
    if failed:
        words, first = failed[0]
        if found:
            raise MismatchError(f"{first}, only with {words}") from first
        raise first
    return found
