"""One torch.export capture, from which both .pt2 and ONNX are made."""

from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from export.formats.quiet import quiet, reason
from export.source.source import Source
from linreg.errors import ExportError

EXAMPLE_BATCH = 2
"""torch.export takes an axis of 1 for a constant, so the example has more."""

SEED = 20261123
REMEDY = "make it independent of that, or ask for a fixed shape with --static"


def capture(source: Source) -> ExportedProgram:
    """The module as torch.export sees it, with a symbolic batch axis, and without the lines of its source files.

    Raises:
        ExportError: the module depends on its data or on the size of the batch.
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
    except Exception as error:  # torch.export raises classes from all over torch
        if "Constraints violated (batch)" in str(error):
            raise ExportError(f"the module depends on the size of the batch; {REMEDY}") from error
        raise ExportError(f"torch.export refuses the module: {reason(error)}") from error
    _check_batch(program)
    for part in program.graph_module.modules():  # what runs under autocast, say, is a graph inside of the graph
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _check_batch(program: ExportedProgram) -> None:
    """See that the batch axis was not narrowed to what the example had."""
    for symbol, interval in program.range_constraints.items():
        if interval.upper < 4096 or interval.lower > 1:
            raise ExportError(
                f"the module works for a batch ({symbol}) of {interval.lower} to {interval.upper} only; {REMEDY}"
            )
