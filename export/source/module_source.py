"""Make the source of any module: copy it, match its inputs to forward and find out what it returns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from export.precision import ExportPrecision
from export.source.axes import BATCH, merged
from export.source.fixing import Static, fixed_sizes
from export.source.forward import match_inputs
from export.source.inputs import Input
from export.source.own_copy import own_copy
from export.source.signature import probe_outputs
from export.source.source import Source, check_clashes, check_names, converted
from export.source.unfit import check_module
from export.source.unwrapping import unwrap
from linreg.errors import ExportError
from linreg.models import affine_of
from linreg.state_dict import state_sha256


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
    entries = tuple(converted(entry, precision, fixed) for entry in inputs)
    axes = merged(axis for entry in entries for axis in entry.dynamic())
    if not axes and not static:
        raise _all_fixed(entries)
    own = own_copy(module, precision)
    arguments, entries = match_inputs(own, entries)
    if input_names:
        check_names("--input-names", input_names, len(entries))
    names = list(input_names) or [entry.name for entry in entries]
    entries = tuple(replace(entry, name=name) for name, entry in zip(names, entries, strict=True))
    found, shapes = probe_outputs(own, arguments, entries, axes)
    if output_names:
        check_names("--output-names", output_names, len(found))
    outputs = tuple(output_names) or found
    check_clashes([*names, *outputs, *own.state_dict()])
    described: dict[str, Any] = {
        "inputs": [entry.described() for entry in entries],
        "outputs": [{"name": name, **shape} for name, shape in zip(outputs, shapes, strict=True)],
        "state_sha256": digest,
    }
    if not arguments.plain:
        described["arguments"] = arguments.described()
    return Source(
        given=own,
        affine=affine_of(own) if _is_table(entries) else None,
        inputs=entries,
        arguments=arguments,
        output_names=outputs,
        axes=axes,
        precision=precision,
        metadata={**(metadata or {}), **described},
        state_sha256=digest,
    )


def _is_table(entries: Sequence[Input]) -> bool:
    """Whether the only input is a batch of rows; a Linear also takes more axes, and an axis of another name."""
    if len(entries) != 1 or len(entries[0].shape) != 2:
        return False
    first = entries[0].shape[0]
    return first == BATCH or isinstance(first, int)


def _all_fixed(entries: Sequence[Input]) -> ExportError:
    named = ", ".join(f"{entry.name!r} has the fixed shape {list(entry.shape)}" for entry in entries)
    return ExportError(f"input {named}; write its first axis as batch, or fix the shape with --static")
