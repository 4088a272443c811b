"""What an exporter takes: a module in eval mode, its inputs, the names of its outputs, and its metadata."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.precision import ExportPrecision
from export.source.axes import BATCH, Axis, Sizes, example_sizes, merged
from export.source.inputs import Input
from export.source.own_copy import own_copy
from export.source.signature import in_order_of_forward, probe_outputs
from export.source.unfit import check_module
from export.source.unwrapping import unwrap
from linreg.checkpoint import Checkpoint, state_sha256
from linreg.errors import ExportError
from linreg.models import Affine, affine_of

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnInputs:
    """One set of the user's own inputs.

    Attributes:
        name: the name used in messages, such as `batch.npz`.
        arrays: one array per input of the module, in order.
    """

    name: str
    arrays: tuple[Array, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """All that an exporter needs.

    Attributes:
        module: a copy of the caller's module, on the CPU and in eval mode.
        affine: the module as an affine map; None if it is not affine.
        inputs: one input per argument of forward, in order.
        output_names: names of the graph's outputs, in the order of the flattened outputs.
        axes: the dynamic axes of all inputs, in order of appearance; none if every size is fixed.
        precision: dtype that the parameters were converted to; None if they keep the module's own.
        metadata: JSON values by key (without the prefix `linreg.`), which are the same on every machine.
        state_sha256: SHA-256 of the state_dict, before any change of precision.
        own: the user's own inputs, on which files are also verified, and with which the module is captured.
    """

    module: nn.Module
    affine: Affine | None
    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    axes: tuple[Axis, ...]
    precision: ExportPrecision | None
    metadata: dict[str, Any]
    state_sha256: str
    own: tuple[OwnInputs, ...] = ()

    @property
    def static(self) -> bool:
        """Whether every size is fixed."""
        return not self.axes

    def sizes(self, /, **known: int) -> dict[str, int]:
        """Return a size for every dynamic axis: that in `known`, or that of the example.

        Args:
            known: sizes by axis name; names of other axes are ignored.
        """
        example = example_sizes(
            self.axes, (size for entry in self.inputs for size in entry.shape if isinstance(size, int))
        )
        return {name: known.get(name, size) for name, size in example.items()}

    def random_inputs(self, sizes: Sizes, scale: float, seed: int) -> tuple[Array, ...]:
        """Return random values for every input; the same seed gives the same values."""
        generator = np.random.default_rng(seed)
        return tuple(entry.random(sizes, scale, generator) for entry in self.inputs)


def from_checkpoint(
    checkpoint: Checkpoint,
    *,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    precision: ExportPrecision | None = None,
    static: bool = False,
    units: dict[str, str] | None = None,
) -> Source:
    """Make the source of a reloaded model; its column names go into the metadata.

    Args:
        checkpoint: the model, as `linreg.checkpoint.load` returns it.
        input_names: names of the graph's inputs. Default: `input`.
        output_names: names of the graph's outputs. Default: `output`.
        precision: the dtype to export in; None keeps the model's own.
        static: fix the batch size to 1.
        units: the units of features and target, by column name; written to the metadata.

    Raises:
        ExportError: names clash, or `units` names an unknown column.
    """
    affine = affine_of(checkpoint.model)
    assert affine is not None, "a checkpoint holds one of the course's two models"
    metadata: dict[str, Any] = {}
    if checkpoint.card is not None:
        metadata = {"features": list(checkpoint.card.features), "target": checkpoint.card.target}
    if units:
        known = [*metadata.get("features", []), metadata.get("target")]
        if unknown := [name for name in units if name not in known]:
            raise ExportError(f"--unit: {unknown[0]!r} is not a column of the model; expected one of {known}")
        metadata["units"] = units
    rows = Input(name="input", dtype=affine.weight.dtype, shape=(BATCH, affine.weight.shape[1]))
    return from_module(
        checkpoint.model,
        [rows],
        input_names=input_names,
        output_names=output_names,
        precision=precision,
        static=static,
        metadata=metadata,
    )


def from_module(
    module: nn.Module,
    inputs: Sequence[Input],
    *,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    precision: ExportPrecision | None = None,
    static: bool = False,
    metadata: dict[str, Any] | None = None,
) -> Source:
    """Make the source of any module.

    Args:
        module: the module, which is copied; the copy is moved to the CPU and put into eval mode. Wrappers of
            torch.compile, DataParallel and AveragedModel are removed.
        inputs: one input per argument of forward.
        input_names: names of the graph's inputs. Default: `input` for a single input, or the names in `inputs`
            for several.
        output_names: names of the graph's outputs. Default: the keys if forward returns a dict of tensors, `output`
            for a single output, or `output_0`, `output_1` and so on for several.
        precision: the dtype of floating parameters and inputs; None keeps them.
        static: fix the size of every dynamic axis, to the smallest of its range.
        metadata: JSON values that go into every artifact.

    Raises:
        ExportError: names clash, or the module is of a kind that cannot be exported, does not run on its inputs, or
            returns different outputs in two calls.
    """
    module, _ = unwrap(check_module(module))
    digest = state_sha256(module.state_dict())
    entries = tuple(_converted(entry, precision, static=static) for entry in inputs)
    axes = merged(axis for entry in entries for axis in entry.dynamic())
    if not axes and not static:
        raise _all_fixed(entries)
    own = own_copy(module, precision)
    entries = in_order_of_forward(own, entries)
    if input_names:
        _check_names("--input-names", input_names, len(entries))
    defaults = ["input"] if len(entries) == 1 else [entry.name for entry in entries]
    names = list(input_names) or defaults
    entries = tuple(replace(entry, name=name) for name, entry in zip(names, entries, strict=True))
    found, shapes = probe_outputs(own, entries, axes)
    if output_names:
        _check_names("--output-names", output_names, len(found))
    outputs = tuple(output_names) or found
    _check_clashes([*names, *outputs, *own.state_dict()])
    described = {
        "inputs": [entry.described() for entry in entries],
        "outputs": [{"name": name, **shape} for name, shape in zip(outputs, shapes, strict=True)],
        "state_sha256": digest,
    }
    return Source(
        module=own,
        affine=affine_of(own),
        inputs=entries,
        output_names=outputs,
        axes=axes,
        precision=precision,
        metadata={**(metadata or {}), **described},
        state_sha256=digest,
    )


def metadata_text(source: Source) -> dict[str, str]:
    """Return the metadata as it is written to a file, with JSON texts by sorted `linreg.` keys."""
    return {
        f"linreg.{key}": json.dumps(value, ensure_ascii=False, sort_keys=True)
        for key, value in sorted(source.metadata.items())
    }


def _converted(entry: Input, precision: ExportPrecision | None, *, static: bool) -> Input:
    if static:
        smallest = {axis.name: axis.least for axis in entry.dynamic()}
        entry = replace(entry, shape=entry.shape_at(smallest), axes=())
    floating = precision is not None and entry.dtype.kind == "f"
    return replace(entry, dtype=np.dtype(str(precision)) if floating else entry.dtype)


def _all_fixed(entries: Sequence[Input]) -> ExportError:
    named = ", ".join(f"{entry.name!r} has the fixed shape {list(entry.shape)}" for entry in entries)
    return ExportError(f"input {named}; write its first axis as batch, or fix the shape with --static")


def _check_names(option: str, names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise ExportError(f"{option}: got {len(names)} names ({', '.join(names)}), expected {count}")
    if len(set(names)) != len(names) or not all(names):
        raise ExportError(f"{option}: got {', '.join(names)}, expected different names")


def _check_clashes(taken: Sequence[str]) -> None:
    if clashing := sorted({name for name in taken if taken.count(name) > 1}):
        raise ExportError(
            f"these names are used twice among inputs, outputs and parameters: {', '.join(clashing)}; "
            "choose others with --input-names and --output-names"
        )
