"""Capture a module once with torch.export, for both .pt2 and ONNX."""

from typing import Any

import numpy as np
import torch
from torch.export import Dim, ExportedProgram

from export.formats.quiet import quiet, reason
from export.source.source import Source
from linreg.errors import ExportError

EXAMPLE_BATCH = 2
"""torch.export treats an axis of size 1 as a constant, so the example has more rows."""

SEED = 20261123
REMEDY = "make it independent of the batch size, or fix the shape with --static"


def capture(source: Source) -> ExportedProgram:
    """Capture the module without references to its source files, and with a symbolic batch axis unless it is static.

    Raises:
        ExportError: torch.export refuses the module, for example because its control flow depends on data, or the
            module depends on the batch size.
    """
    random = tuple(torch.from_numpy(array) for array in source.random_inputs(EXAMPLE_BATCH, 1.0, SEED))
    inputs = _own(source) or random
    shapes: tuple[dict[int, Any], ...] | None = None
    if not source.static:
        batch = Dim("batch")
        shapes = tuple(
            {axis: batch for axis, size in enumerate(entry.shape) if size is None} for entry in source.inputs
        )
    try:
        with quiet(), torch.no_grad():  # with gradients, attention has other strides
            program = torch.export.export(source.module, inputs, dynamic_shapes=shapes)
    except Exception as error:  # torch.export raises many classes
        if "Constraints violated (batch)" in str(error):
            raise ExportError(f"the module depends on the size of the batch; {REMEDY}") from error
        raise ExportError(f"torch.export refuses the module: {reason(error)}") from error
    if source.own:
        program.example_inputs = (random, {})  # a .pt2 file holds them, and the user's own may be private
    _check_batch(program)
    for part in program.graph_module.modules():  # a region under autocast, for example, is a graph inside the graph
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _own(source: Source) -> tuple[torch.Tensor, ...]:
    """Return the first set of the user's own inputs that has two rows or more, or the first with its rows twice."""
    for own in source.own:
        if source.static or len(own.arrays[0]) >= EXAMPLE_BATCH:
            return tuple(torch.from_numpy(array.copy()) for array in own.arrays)
    for own in source.own:
        return tuple(torch.from_numpy(np.repeat(array, EXAMPLE_BATCH, axis=0)) for array in own.arrays)
    return ()


def _check_batch(program: ExportedProgram) -> None:
    """Check that the batch axis was not specialised to the size of the example."""
    for symbol, interval in program.range_constraints.items():
        if interval.upper < 4096 or interval.lower > 1:
            raise ExportError(
                f"the module works for a batch ({symbol}) of {interval.lower} to {interval.upper} only; {REMEDY}"
            )
