"""Run an artifact of a module's bundle on arrays, which are checked against the card first; ONNX needs no torch."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.external_data import read_external_data
from export.formats.names import RUNTIME_FORMATS, Format, file_name, format_of
from export.precision import ExportPrecision
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from linreg.config import MAX_STATE_BYTES
from linreg.errors import DataError, LinregError, ModelError, one_line
from linreg.manifest import Manifest, read_listed, read_manifest
from linreg.module_card import CardAxis, CardInput, ModuleCard
from linreg.module_card_file import read_module_card

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayModel:
    """An artifact of a module's bundle, loaded.

    Attributes:
        path: path of the artifact.
        card: the card of its bundle.
        precision: dtype of its floating inputs; None if it is the module's own.
        runner: runs the artifact.
    """

    path: Path
    card: ModuleCard
    precision: ExportPrecision | None
    runner: Runner

    def predict(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Run the artifact once, and return the outputs by name.

        Args:
            given: an array for each input, by its name in the exported files or by the argument of forward.

        Raises:
            DataError: a name, a dtype or a shape is not that of the card.
            ModelError: the artifact does not run on these arrays, or returns another number of outputs.
        """
        inputs = checked_inputs(self.card, self.precision, given)
        try:
            outputs = self.runner.bind(inputs).outputs()
        except LinregError:
            raise
        except Exception as error:  # each runtime raises classes of its own
            raise ModelError(f"{self.path}: does not run on these arrays: {one_line(error)}") from error
        if len(outputs) != len(self.card.outputs):
            raise ModelError(
                f"{self.path}: returns {len(outputs)} outputs, and its card lists {len(self.card.outputs)}; "
                "export it again"
            )
        return {entry.name: output for entry, output in zip(self.card.outputs, outputs, strict=True)}


def open_array_model(path: Path, *, trust: bool) -> ArrayModel:
    """Load an artifact of a module's bundle.

    Args:
        path: the bundle, of which the ONNX file is used if there is one, or an artifact in it.
        trust: run TorchScript and .pt2 files, which are programs, even if this user did not export them.

    Raises:
        ModelError: the bundle has no card of a module, or no artifact, or the artifact cannot be loaded.
        UntrustedError: the artifact is a program that this user did not export.
        MismatchError: the bytes of a file differ from the manifest.
    """
    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder)
    card = read_module_card(folder, manifest)
    if manifest is None or card is None:
        what = "is not a module's bundle with a card.json that describes its inputs"
        hint = "export the module again" if manifest is not None and manifest.of_module else "name its bundle"
        raise ModelError(f"{path}: {what}; {hint}")
    name = _first(folder, manifest) if path.is_dir() else path.name
    found = format_of(name)
    if found is None or manifest.entry(name) is None:
        raise ModelError(f"{path}: is not an artifact of {folder}; use -m {shlex.quote(str(folder))}")
    kind, precision = found
    if kind is Format.C:
        raise ModelError(f"{path}: is C source, which is compiled into a program; name another artifact of {folder}")
    data = read_listed(folder, name, limit=MAX_STATE_BYTES, manifest=manifest)
    external = read_external_data(folder / name, data, manifest) if kind is Format.ONNX else None
    runner = load_artifact(kind, str(folder / name), data, Trust.from_option(trust), external=external)
    return ArrayModel(path=folder / name, card=card, precision=precision, runner=runner)


def _first(folder: Path, manifest: Manifest) -> str:
    """Return the artifact of a bundle to run: ONNX, or else the first of the others."""
    names = [file_name(kind, precision) for precision in (None, *ExportPrecision) for kind in RUNTIME_FORMATS]
    for name in names:
        if manifest.entry(name) is not None:
            return name
    raise ModelError(f"{folder}: has no artifact that can be run; export the module again with --format onnx")


def checked_inputs(
    card: ModuleCard, precision: ExportPrecision | None, given: Mapping[str, Array]
) -> tuple[Array, ...]:
    """Return the arrays in the order of the inputs, after comparing them with the card.

    Raises:
        DataError: a name, a dtype, a shape or the size of an axis is not that of the card.
    """
    names = [entry.name for entry in card.inputs]
    arguments = [entry.argument for entry in card.inputs]
    called = arguments if set(given) == set(arguments) else names
    if set(given) != set(called):
        raise DataError(
            f"got arrays named {_listed(given)}, expected {', '.join(names)}; write them with "
            f"numpy.savez(FILE, {', '.join(f'{name}=...' for name in names)})"
        )
    axes = {axis.name: axis for axis in card.axes}
    sizes: dict[str, tuple[int, str]] = {}
    arrays = []
    for name, entry in zip(called, card.inputs, strict=True):
        array = given[name]
        dtype = str(precision) if precision is not None and entry.dtype.startswith("float") else entry.dtype
        if array.dtype.newbyteorder("=") != np.dtype(dtype):
            raise DataError(f"{name}: is {array.dtype}, expected {dtype}; convert it: {name}.astype({dtype!r})")
        _check_shape(name, array, entry, axes, sizes)
        arrays.append(np.ascontiguousarray(array, dtype=dtype))
    return tuple(arrays)


def _check_shape(
    name: str, array: Array, entry: CardInput, axes: Mapping[str, CardAxis], sizes: dict[str, tuple[int, str]]
) -> None:
    expected = f"expected ({', '.join(map(str, entry.shape))})"
    if array.ndim != len(entry.shape):
        raise DataError(f"{name}: has shape {array.shape}, {expected}")
    for size, wanted in zip(array.shape, entry.shape, strict=True):
        if isinstance(wanted, int):
            if size != wanted:
                raise DataError(f"{name}: has shape {array.shape}, {expected}")
            continue
        axis, (first, where) = axes[wanted], sizes.setdefault(wanted, (size, name))
        if size != first:
            raise DataError(f"{name}: has {wanted} {size}, and {where} has {wanted} {first}; they must be equal")
        if not axis.has(size):
            raise DataError(f"{name}: has {wanted} {size}, expected {axis.sizes}")


def beyond_limits(card: ModuleCard, given: Mapping[str, Array]) -> list[str]:
    """Return a remark on each input whose integers leave the limits of the card, which the proof did not try."""
    remarks = []
    for entry in card.inputs:
        array = given.get(entry.name, given.get(entry.argument))
        if array is None or entry.least is None or entry.below is None or not array.size:
            continue
        if array.min() < entry.least or array.max() >= entry.below:
            remarks.append(
                f"{entry.name}: has values from {array.min()} to {array.max()}, and the proof tried "
                f"{entry.least} to {entry.below - 1}"
            )
    return remarks


def _listed(given: Mapping[str, Array]) -> str:
    names = [name[:60] for name in given]
    return ", ".join(names[:8]) or "nothing"
