"""What an exporter takes: a module in eval mode, its inputs, the names of its outputs, and its metadata."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from export.precision import ExportPrecision
from export.source.arguments import Arguments
from export.source.axes import BATCH, Axis, Sizes, example_sizes, merged
from export.source.fixing import Static, fixed_sizes
from export.source.forward import match_inputs
from export.source.inputs import Input
from export.source.own_copy import own_copy
from export.source.signature import call, probe_outputs
from export.source.unfit import check_module
from export.source.unwrapping import unwrap
from linreg.affine import Affine
from linreg.checkpoint import Checkpoint
from linreg.errors import ExportError
from linreg.models import affine_of
from linreg.state_dict import state_sha256

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
        inputs: one input per tensor that forward takes, in the order of its arguments.
        arguments: how these tensors become the arguments of forward.
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
    arguments: Arguments
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

    def call(self, module: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
        """Call the module, or another form of it, with one tensor per input."""
        return call(module, self.arguments, tensors)

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
    static: Static = False,
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
    static: Static = False,
    metadata: dict[str, Any] | None = None,
) -> Source:
    """Make the source of any module.

    Args:
        module: the module, which is copied; the copy is moved to the CPU and put into eval mode. Wrappers of
            torch.compile, DataParallel and AveragedModel are removed.
        inputs: one input per tensor that forward takes. Its name is that of the argument; parts of tuples and dicts
            are named `state.0` and `batch.ids`.
        input_names: names of the graph's inputs. Default: the names in `inputs`.
        output_names: names of the graph's outputs. Default: the keys if forward returns a dict of tensors, `output`
            for a single output, or `output_0`, `output_1` and so on for several.
        precision: the dtype of floating parameters and inputs; None keeps them.
        static: fix dynamic axes: True for all, or names and sizes as `fixed_sizes` takes them.
        metadata: JSON values that go into every artifact.

    Raises:
        ExportError: names clash, or the module is of a kind that cannot be exported, does not run on its inputs, or
            returns different outputs in two calls.
    """
    module, _ = unwrap(check_module(module))
    digest = state_sha256(module.state_dict())
    fixed = fixed_sizes(static, merged(axis for entry in inputs for axis in entry.dynamic()))
    entries = tuple(_converted(entry, precision, fixed) for entry in inputs)
    axes = merged(axis for entry in entries for axis in entry.dynamic())
    if not axes and not static:
        raise _all_fixed(entries)
    own = own_copy(module, precision)
    arguments, entries = match_inputs(own, entries)
    if input_names:
        _check_names("--input-names", input_names, len(entries))
    names = list(input_names) or [entry.name for entry in entries]
    entries = tuple(replace(entry, name=name) for name, entry in zip(names, entries, strict=True))
    found, shapes = probe_outputs(own, arguments, entries, axes)
    if output_names:
        _check_names("--output-names", output_names, len(found))
    outputs = tuple(output_names) or found
    _check_clashes([*names, *outputs, *own.state_dict()])
    described: dict[str, Any] = {
        "inputs": [entry.described() for entry in entries],
        "outputs": [{"name": name, **shape} for name, shape in zip(outputs, shapes, strict=True)],
        "state_sha256": digest,
    }
    if not arguments.plain:
        described["arguments"] = arguments.described()
    return Source(
        module=own,
        affine=affine_of(own) if _is_table(entries) else None,
        inputs=entries,
        arguments=arguments,
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


def _converted(entry: Input, precision: ExportPrecision | None, fixed: Sizes) -> Input:
    shape = tuple(fixed.get(size, size) if isinstance(size, str) else size for size in entry.shape)
    floating = precision is not None and entry.dtype.kind == "f"
    return replace(entry, shape=shape, dtype=np.dtype(str(precision)) if floating else entry.dtype)


def _is_table(entries: Sequence[Input]) -> bool:
    """Whether the only input is a batch of rows; a Linear also takes more axes, and an axis of another name."""
    if len(entries) != 1 or len(entries[0].shape) != 2:
        return False
    first = entries[0].shape[0]
    return first == BATCH or isinstance(first, int)


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
