"""Time a module on the user's own inputs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.plan.request import Request
from linreg.config import MOST_BATCH
from linreg.errors import LinregError

if TYPE_CHECKING:
    from torch import nn

    from export.source.given_inputs import GivenInputs


def on_own_inputs(request: Request, module: "nn.Module", sets: "Sequence[GivenInputs]") -> Request:
    """Return a request that times a module on the user's own inputs, at the batch sizes that these have.

    Fresh processes need only the description of the inputs: their values are passed with the expected outputs.

    Raises:
        ExportError: the sets contradict each other.
        LinregError: two sets have the same number of rows, or one has too many.
    """
    from export.source.axes import BATCH
    from export.source.forward import match_inputs
    from export.source.own_inputs import inputs_of, own_inputs, sizes_of
    from export.source.user_module import parse_input

    described = [parse_input(text) for text in request.inputs] or inputs_of(module, sets, static=False)
    _, entries = match_inputs(module, described)
    batches: dict[int, str] = {}
    for given in own_inputs(entries, sets):
        rows = sizes_of(entries, given.arrays).get(BATCH)
        if rows is None:
            raise LinregError("--inputs: no input has an axis named batch, whose size a row of the report names")
        if rows in batches:
            raise LinregError(
                f"--inputs: {batches[rows]} and {given.name} both have {rows} rows, and a row of the report is a batch "
                "size; time one of them at a time"
            )
        if rows > MOST_BATCH:
            raise LinregError(f"--inputs: {given.name} has {rows} rows, expected at most {MOST_BATCH}")
        batches[rows] = given.name
    settings = replace(request.settings, batches=tuple(sorted(batches)))
    inputs = tuple(entry.text() for entry in entries)
    return replace(request, inputs=inputs, own=tuple(sets), settings=settings)
