"""Search for the first wrong node of an ONNX model, with few runs of onnxruntime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from export.bisection.cuts import inputs_of_node, live_values, made_values, prefix, single_node
from export.bisection.differences import Difference
from export.bisection.exact import ExactGraph
from export.proof.comparison import ExpectedOutput
from linreg.errors import LinregError, one_line

Array = NDArray[Any]
Values = Mapping[str, Array]


class Cause(StrEnum):
    """What a node shows to be wrong."""

    FILE = "file"
    """The node is not the one of a fresh export."""

    RUNTIME = "runtime"
    """onnxruntime computes the node wrongly, or does not run it."""

    OPTIMISER = "optimiser"
    """onnxruntime computes the node wrongly when it optimises the graph."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WrongNode:
    """The first wrong node, and what shows it.

    Attributes:
        index: place in topological order.
        cause: the file, the runtime, or its graph optimisation.
        name: name of the node.
        operator: its ONNX operator.
        output: the output that is furthest off; empty if none could be compared.
        worst_error: the largest error, as a multiple of the error allowed; None if there is no number: the part does
            not run, a shape or dtype or class differs, or an error where none is allowed.
        what: what is wrong, for messages.
        part: the smallest ONNX model that shows it.
        inputs: the inputs of `part`.
        expected: the expected outputs of `part`; empty if it must not run.
    """

    index: int
    cause: Cause
    name: str
    operator: str
    output: str
    worst_error: float | None
    what: str
    part: ModelProto
    inputs: Values
    expected: Mapping[str, ExpectedOutput]


class Runs:
    """Runs models in onnxruntime, and counts the runs."""

    def __init__(self, run: Callable[[ModelProto, Values, str], tuple[Array, ...]]) -> None:
        """Args: called with a model, its inputs by name, and the level of graph optimisation."""
        self._run = run
        self.count = 0

    def outputs(self, model: ModelProto, values: Values, optimisation: str = "disabled") -> dict[str, Array]:
        """The outputs of a model, by name.

        Raises:
            LinregError: onnxruntime does not load the model, or does not run it.
        """
        self.count += 1
        given = {entry.name: values[entry.name] for entry in model.graph.input}
        names = [entry.name for entry in model.graph.output]
        return dict(zip(names, self._run(model, given, optimisation), strict=True))


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The worst of several outputs; `ratio` is the error as a multiple of the error allowed."""

    ratio: float
    output: str
    what: str


def search(
    model: ModelProto, exact: ExactGraph, inputs: Values, runs: Runs, difference: Difference | None = None
) -> WrongNode | None:
    """Find the first wrong node, with at most ceil(log2(n)) + 2 runs for n nodes.

    One run gives all values of the graph, without graph optimisation: each node is compared with its own float64
    result for the inputs that it had there. If the graph does not run, its longest prefix that runs is found by binary
    search. If every node is right, the graph is run with all optimisations, and the first prefix that leaves its bound
    then is found by binary search.

    Args:
        model: the model of the file.
        exact: the nodes as they should be, in float64.
        inputs: the inputs of the graph.
        runs: runs a part of the model.
        difference: the first node that differs from a fresh export; it is run alone, on exact inputs.

    Raises:
        ExportError: a node cannot be computed in float64.
    """
    if difference is not None:
        return _differing(model, exact, inputs, runs, difference)
    return _unoptimised(model, exact, inputs, runs) or _optimised(model, exact, inputs, runs)


def _differing(model: ModelProto, exact: ExactGraph, inputs: Values, runs: Runs, difference: Difference) -> WrongNode:
    """Run the node that differs from a fresh export on the exact inputs of that node."""
    index = difference.index
    values: Values = exact.values(inputs, min(index, len(exact.nodes)))
    node = model.graph.node[index]
    alike = index < len(exact.nodes) and made_values(node) == made_values(exact.nodes[index])
    if alike and set(inputs_of_node(model, index)) <= set(values):
        part = single_node(model, index, values)
        expected: Mapping[str, ExpectedOutput] = exact.expected(index, {**values, **exact.initializers})
    else:  # the node reads other values, so that only the whole graph up to it shows what is wrong
        part = prefix(model, index + 1, made_values(node))
        known, values = exact.throughout(inputs), inputs
        expected = {name: known[name] for name in made_values(node) if name in known}
    try:
        found = runs.outputs(part, values)
    except LinregError as error:
        return _wrong(model, index, Cause.FILE, None, f"{difference.what}; {one_line(error)}", part, values, expected)
    worst = worst_of({name: found[name] for name in expected}, expected) if expected else None
    return _wrong(model, index, Cause.FILE, worst, difference.what, part, values, expected)


def _unoptimised(model: ModelProto, exact: ExactGraph, inputs: Values, runs: Runs) -> WrongNode | None:
    count = len(model.graph.node)
    values, reason = _longest(model, inputs, runs)
    for index in range(count):
        if not set(made_values(model.graph.node[index])) <= set(values):
            part = single_node(model, index, values)
            return _wrong(model, index, Cause.RUNTIME, None, reason, part, values, exact.expected(index, values))
        expected = exact.expected(index, values)
        worst = worst_of({name: values[name] for name in expected}, expected)
        if worst.ratio > 1:
            part = single_node(model, index, values)
            return _wrong(model, index, Cause.RUNTIME, worst, "", part, values, expected)
    return None


def _longest(model: ModelProto, inputs: Values, runs: Runs) -> tuple[dict[str, Array], str]:
    """All values of the longest prefix that runs, and why the next node does not run, if there is one."""
    runs_to, fails_from, reason = 0, len(model.graph.node) + 1, ""
    values, tried = dict(inputs), len(model.graph.node)
    while fails_from - runs_to > 1:
        names = [name for node in model.graph.node[:tried] for name in made_values(node)]
        try:
            values = {**inputs, **runs.outputs(prefix(model, tried, names), inputs)}
            runs_to = tried
        except LinregError as error:
            fails_from, reason = tried, one_line(error)
        tried = (runs_to + fails_from) // 2
    return values, reason


def _optimised(model: ModelProto, exact: ExactGraph, inputs: Values, runs: Runs) -> WrongNode | None:
    """The node at which the prefixes leave their bounds when onnxruntime optimises them."""
    expected = exact.throughout(inputs)
    right, wrong, tried = 0, len(model.graph.node) + 1, len(model.graph.node)
    shown: tuple[ModelProto, Worst, str] | None = None
    while wrong - right > 1:
        part = prefix(model, tried, live_values(model.graph, tried))
        try:
            worst, reason = worst_of(runs.outputs(part, inputs, "all"), expected), ""
        except LinregError as error:
            worst, reason = Worst(ratio=np.inf, output="", what=""), one_line(error)
        if worst.ratio > 1:
            wrong, shown = tried, (part, worst, reason)
        else:
            right = tried
        tried = (right + wrong) // 2
    if shown is None:
        return None
    part, worst, reason = shown
    live = {entry.name: expected[entry.name] for entry in part.graph.output}
    what = f"{reason or 'the values are wrong'}, only with graph optimisation"
    return _wrong(model, wrong - 1, Cause.OPTIMISER, worst, what, part, inputs, live)


def worst_of(found: Mapping[str, Array], expected: Mapping[str, ExpectedOutput]) -> Worst:
    """The output whose error is the largest multiple of the error allowed."""
    return max((_worst(name, array, expected[name]) for name, array in found.items()), key=lambda worst: worst.ratio)


def _worst(name: str, found: Array, expected: ExpectedOutput) -> Worst:
    wanted = expected.values
    if (found.shape, found.dtype) != (wanted.shape, expected.eager.dtype):
        what = f"{name} is {found.dtype} of {found.shape}, expected {expected.eager.dtype} of {wanted.shape}"
        return Worst(ratio=np.inf, output=name, what=what)
    with np.errstate(all="ignore"):
        got = found.astype(wanted.dtype)
        same = (got == wanted) | ((got != got) & (wanted != wanted)) | expected.any_class
        error = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
        ratio = np.where(same, 0.0, error / expected.allowed)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    if not ratio.size:
        return Worst(ratio=0.0, output=name, what="")
    place = tuple(int(index) for index in np.unravel_index(int(ratio.argmax()), ratio.shape))
    allowed = float(expected.allowed[place])
    what = f"{name}{list(place)} is {found[place]!s}, expected {wanted[place]!s} within {allowed:.3g}"
    return Worst(ratio=float(ratio[place]), output=name, what=what)


def _wrong(
    model: ModelProto,
    index: int,
    cause: Cause,
    worst: Worst | None,
    what: str,
    part: ModelProto,
    values: Values,
    expected: Mapping[str, ExpectedOutput],
) -> WrongNode:
    node = model.graph.node[index]
    said = [text for text in (what, worst.what if worst is not None else "") if text]
    return WrongNode(
        index=index,
        cause=cause,
        name=node.name,
        operator=node.op_type,
        output=worst.output if worst is not None and worst.output else next(iter(made_values(node)), ""),
        worst_error=worst.ratio if worst is not None and np.isfinite(worst.ratio) else None,
        what="; ".join(said),
        part=part,
        inputs={entry.name: values[entry.name] for entry in part.graph.input},
        expected=expected,
    )
