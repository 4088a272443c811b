"""What an exporter takes: a module in eval mode, its inputs, the names of its outputs, and its metadata."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.precision import ExportPrecision
from export.source.arguments import Arguments, call
from export.source.axes import BATCH, Axis, Sizes, example_sizes, merged
from export.source.fixing import Static, fixed_sizes
from export.source.inputs import Input
from linreg.affine import Affine
from linreg.checkpoint import Checkpoint
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch import Tensor, nn

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
        given: a copy of the caller's module, on the CPU and in eval mode; None for a model of linreg train.
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

    given: "nn.Module | None"
    affine: Affine | None
    inputs: tuple[Input, ...]
    arguments: Arguments
    output_names: tuple[str, ...]
    axes: tuple[Axis, ...]
    precision: ExportPrecision | None
    metadata: dict[str, Any]
    state_sha256: str
    own: tuple[OwnInputs, ...] = ()

    @cached_property
    def module(self) -> "nn.Module":
        """The module; that of a model of linreg train is made when it is first used, which imports torch."""
        if self.given is not None:
            return self.given
        from linreg.models import module_of

        assert self.affine is not None, "a model of linreg train is an affine map"
        return module_of(self.affine)

    def state(self) -> dict[str, Array]:
        """Return the state_dict as arrays; dtypes that NumPy lacks are integers of the same bits."""
        if self.given is None:
            assert self.affine is not None, "a model of linreg train is an affine map"
            return self.affine.state()
        from export.source.arrays import bits_of

        return {key: bits_of(value) for key, value in self.given.state_dict().items()}

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

    def call(self, module: Callable[..., Any], tensors: "Sequence[Tensor]") -> Any:
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
    """Make the source of a reloaded model; the names and ranges of its columns go into the metadata.

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
    metadata: dict[str, Any] = {}
    if checkpoint.card is not None:
        card = checkpoint.card
        metadata = {"features": list(card.features), "target": card.target}
        if ranges := card.ranges:  # earlier cards have none
            metadata["ranges"] = [list(ends) for ends in ranges]
    if units:
        known = [*metadata.get("features", []), metadata.get("target")]
        if unknown := [name for name in units if name not in known]:
            raise ExportError(f"--unit: {unknown[0]!r} is not a column of the model; expected one of {known}")
        metadata["units"] = units
    affine = _in_precision(checkpoint.affine, precision)
    entry = Input(name="input", dtype=affine.weight.dtype, shape=(BATCH, affine.weight.shape[1]))
    rows = converted(entry, precision, fixed_sizes(static, entry.dynamic()))
    for option, given in (("--input-names", input_names), ("--output-names", output_names)):
        if given:
            check_names(option, given, 1)
    (name,), outputs = tuple(input_names) or (entry.name,), tuple(output_names) or ("output",)
    rows = replace(rows, name=name)
    check_clashes([name, *outputs, *affine.state()])
    described = {
        "inputs": [rows.described()],
        "outputs": [{"name": outputs[0], "dtype": str(rows.dtype), "shape": [rows.shape[0], len(affine.weight)]}],
        "state_sha256": checkpoint.state_sha256,
    }
    return Source(
        given=None,
        affine=affine,
        inputs=(rows,),
        arguments=Arguments(paths=(entry.name,), positional=1),
        output_names=outputs,
        axes=merged(rows.dynamic()),
        precision=precision,
        metadata={**metadata, **described},
        state_sha256=checkpoint.state_sha256,
    )


def _in_precision(affine: Affine, precision: ExportPrecision | None) -> Affine:
    """Return a copy of a model with its parameters in another dtype; None keeps the dtype."""
    dtype = affine.weight.dtype if precision is None else np.dtype(str(precision))
    with np.errstate(over="ignore"):
        bias = None if affine.bias is None else affine.bias.astype(dtype)
        return replace(affine, weight=affine.weight.astype(dtype), bias=bias)


def with_rows(source: Source, rows: Array) -> Source:
    """Return the source of a model with a single input with the rows of a table as the user's own inputs.

    Raises:
        ExportError: the rows have another number of axes.
    """
    if len(source.inputs) != 1 or rows.ndim != len(source.inputs[0].shape) or source.static:
        raise ExportError(
            f"your rows have shape {rows.shape}, expected {[entry.described()['shape'] for entry in source.inputs]}"
        )
    return replace(source, own=(OwnInputs(name="your rows", arrays=(rows.astype(source.inputs[0].dtype),)),))


def metadata_text(source: Source) -> dict[str, str]:
    """Return the metadata as it is written to a file, with JSON texts by sorted `linreg.` keys."""
    return {
        f"linreg.{key}": json.dumps(value, ensure_ascii=False, sort_keys=True)
        for key, value in sorted(source.metadata.items())
    }


def converted(entry: Input, precision: ExportPrecision | None, fixed: Sizes) -> Input:
    """Return an input with some axes fixed, and in another dtype if its values are floating."""
    shape = tuple(fixed.get(size, size) if isinstance(size, str) else size for size in entry.shape)
    floating = precision is not None and entry.dtype.kind == "f"
    return replace(entry, shape=shape, dtype=np.dtype(str(precision)) if floating else entry.dtype)


def check_names(option: str, names: Sequence[str], count: int) -> None:
    """Check that there are as many names as inputs or outputs, and that they differ.

    Raises:
        ExportError: they are not.
    """
    if len(names) != count:
        raise ExportError(f"{option}: got {len(names)} names ({', '.join(names)}), expected {count}")
    if len(set(names)) != len(names) or not all(names):
        raise ExportError(f"{option}: got {', '.join(names)}, expected different names")


def check_clashes(taken: Sequence[str]) -> None:
    """Check that no name is used twice among inputs, outputs and parameters.

    Raises:
        ExportError: one is.
    """
    if clashing := sorted({name for name in taken if taken.count(name) > 1}):
        raise ExportError(
            f"these names are used twice among inputs, outputs and parameters: {', '.join(clashing)}; "
            "choose others with --input-names and --output-names"
        )
