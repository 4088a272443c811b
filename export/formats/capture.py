"""Capture a module once with torch.export, as the input of both .pt2 and ONNX."""

from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from export.formats.quiet import quiet, reason
from export.source.source import Source
from linreg.errors import ExportError

EXAMPLE_BATCH = 2
"""Batch size of the example inputs; torch.export would treat a size of 1 as a constant."""

SEED = 20261123
REMEDY = "make it independent of that, or ask for a fixed shape with --static"


def capture(source: Source) -> ExportedProgram:
    """Capture a module with a symbolic batch axis, without references to its source lines.

    Raises:
        ExportError: the module depends on the values of its inputs or on the batch size.
    """
    inputs = tuple(torch.from_numpy(array) for array in source.random_inputs(EXAMPLE_BATCH, 1.0, SEED))
    shapes: tuple[dict[int, Any], ...] | None = None
    if not source.static:
        batch = Dim("batch")
        shapes = tuple(
            {axis: batch for axis, size in enumerate(entry.shape) if size is None} for entry in source.inputs
        )
    try:
        with quiet():
            program = torch.export.export(source.module, inputs, dynamic_shapes=shapes)
    except Exception as error:  # torch.export raises exceptions of many classes
        if "Constraints violated (batch)" in str(error):
            raise ExportError(f"the module depends on the size of the batch; {REMEDY}") from error
        raise ExportError(f"torch.export refuses the module: {reason(error)}") from error
    _check_batch(program)
    for part in program.graph_module.modules():  # code under autocast, for example, becomes a nested graph
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _check_batch(program: ExportedProgram) -> None:
    """Check that torch.export did not restrict the batch axis to the example's size."""
    for symbol, interval in program.range_constraints.items():
        if interval.upper < 4096 or interval.lower > 1:
            raise ExportError(
                f"the module works for a batch ({symbol}) of {interval.lower} to {interval.upper} only; {REMEDY}"
            )
