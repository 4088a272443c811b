"""Load an artifact that was staged, from disk, with its second file if it has one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.path_leaks import check_no_paths
from export.formats.external_data import ExternalData, check_location, checked, external_tensors
from export.formats.names import Format
from export.proof.file_tensors import same_bits
from export.proof.optimisation import load_unoptimised
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.source import Source
from linreg.changes import Changes

Array = NDArray[Any]


def load_staged(kind: Format, name: str, changes: Changes, data: bytes, source: Source) -> tuple[Runner, Runner | None]:
    """Load a staged artifact, with its second file if it has one, and once more without graph optimisation."""
    external = staged_external(changes, name, data, source) if kind is Format.ONNX else None
    runner = load_artifact(kind, name, data, Trust.MADE_HERE, external=external)
    return runner, load_unoptimised(kind, name, data, Trust.MADE_HERE, external=external)


def staged_external(changes: Changes, name: str, data: bytes, source: Source) -> ExternalData | None:
    """Check the second file of a staged ONNX model on disk; None if the model has none.

    A tensor of the file that equals a parameter of the module, bit for bit, shares its memory. So no second copy of the
    weights is in memory while the file is proved.

    Raises:
        ModelError: the files differ from what was written, or do not belong together.
        ExportError: the file contains a local path.
    """
    if not (tensors := external_tensors(name, data)):
        return None
    location = check_location(changes.folder / name, tensors)
    staged, digest = changes.checked_path(location)
    mapped = np.memmap(staged, np.uint8, "r")
    found = checked(name, data, tensors, mapped, digest)
    check_no_paths(location, mapped._mmap)  # type: ignore[attr-defined]
    state = source.state()
    arrays = {key: _in_memory(array, state.get(key)) for key, array in found.arrays.items()}
    return ExternalData(tensors=tensors, arrays=arrays)


def _in_memory(array: Array, own: Array | None) -> Array:
    """Return the module's own array if it has the same bits as one of a mapped file, else a copy of that."""
    if own is not None and own.flags.c_contiguous and same_bits(array, own):
        return own.reshape(array.shape)
    return np.array(array)
