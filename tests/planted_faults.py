"""Plant faults into model.onnx, and ask whether `verify` catches each one with the default budget."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

from export.formats.onnx import to_onnx
from export.proof.budget import LEAST_DEFAULT_S
from export.proof.verify import verify
from export.runners.onnxruntime import onnxruntime_runner
from export.source.source import Source
from linreg.errors import LinregError, MismatchError

Planted = tuple[str, bytes] | None
"""The name of the tensor or of the output of the node, and the file; None if this draw changes nothing."""

TENSOR_FAULTS = ("one bit", "one weight x 1.001", "rounded to float16", "set to 0", "two elements swapped")
OTHER_FAULTS = ("two tensors swapped", "node changed")
FAULTS = (*TENSOR_FAULTS, *OTHER_FAULTS)

OTHER_OPERATORS = {
    "Add": "Sub", "Sub": "Add", "Mul": "Add", "Div": "Mul", "Relu": "Softplus", "Tanh": "Sigmoid", "Sigmoid": "Tanh",
    "Erf": "Tanh", "Softmax": "LogSoftmax", "MaxPool": "AveragePool", "ReduceMean": "ReduceMax", "HardSwish": "Relu",
    "Sqrt": "Abs", "HardSigmoid": "Sigmoid", "Gelu": "Relu",
}  # fmt: skip
"""What a node becomes."""


@dataclass(kw_only=True)
class Outcome:
    """What became of the faults of one kind in one file.

    Attributes:
        planted: how many were planted.
        by_content: how many were refused because of the content of a tensor, before any run.
        by_outputs: how many were refused because of an output, or because the file does not run.
        listed: faults that were accepted, in tensors that the proof names as not proved by content.
        accepted: faults that were accepted although nothing says so.
    """

    planted: int = 0
    by_content: int = 0
    by_outputs: int = 0
    listed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)


def survey(source: Source, count: int, seed: int, budget_s: float = LEAST_DEFAULT_S) -> dict[str, Outcome]:
    """Plant `count` faults, of all kinds in turn, and verify each file; the file itself must pass."""
    data = to_onnx(source)
    verify(onnxruntime_runner("model.onnx", data), source, budget_s=budget_s)
    generator = np.random.default_rng(seed)
    outcomes = {kind: Outcome() for kind in FAULTS}
    planted = 0
    while planted < count:
        kind = FAULTS[planted % len(FAULTS)]
        fault = _plant(kind, data, generator)
        if fault is None or _changes_nothing(fault[1], data, source, kind):
            continue
        planted += 1
        _judge(kind, *fault, source, outcomes[kind], budget_s)
    return outcomes


def _judge(kind: str, name: str, data: bytes, source: Source, outcome: Outcome, budget_s: float) -> None:
    outcome.planted += 1
    try:
        accepted = verify(onnxruntime_runner("model.onnx", data), source, budget_s=budget_s)
    except MismatchError as error:
        if "differs from the state_dict" in str(error):
            outcome.by_content += 1
        else:
            outcome.by_outputs += 1
    except LinregError:  # onnxruntime does not load it
        outcome.by_outputs += 1
    else:
        assert accepted.weights is not None
        state = source.module.state_dict()
        computed = kind in TENSOR_FAULTS and name not in state and accepted.weights.close
        listed = any(each in (name, f"{name}: epsilon") for each in accepted.weights.constants) or computed
        (outcome.listed if listed else outcome.accepted).append(name)


def _changes_nothing(data: bytes, before: bytes, source: Source, kind: str) -> bool:
    """Whether a changed node computes the same bits as before, by onnxruntime alone, for inputs of three scales."""
    if kind != "node changed":
        return False  # a tensor has other bytes
    try:
        runners = [onnxruntime_runner("model.onnx", each, optimisation="disabled") for each in (data, before)]
        for scale in (1e-3, 1.0, 1e4):
            changed, unchanged = (
                runner.bind(source.random_inputs(source.sizes(batch=3), scale, 5)).outputs() for runner in runners
            )
            if any(a.tobytes() != b.tobytes() for a, b in zip(changed, unchanged, strict=True)):
                return False
    except Exception:
        return False
    return True


def _plant(kind: str, data: bytes, generator: np.random.Generator) -> Planted:
    model = onnx.load_model_from_string(data)
    if kind == "node changed":
        return _change_node(model, generator)
    tensors = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
    names = [name for name, array in tensors.items() if array.dtype.kind == "f" and array.size]
    name = names[generator.integers(len(names))]
    array = tensors[name]
    changed = {name: array.copy()}
    if kind == "two tensors swapped":
        others = [each for each in names if tensors[each].shape == array.shape and each != name]
        if not others:
            return None
        other = others[generator.integers(len(others))]
        changed = {name: tensors[other], other: array}
    else:
        _CHANGES[kind](changed[name], generator)
    if all(values.tobytes() == tensors[each].tobytes() for each, values in changed.items()):
        return None
    for tensor in model.graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(numpy_helper.from_array(changed[tensor.name], tensor.name))
    return name, model.SerializeToString()


def _one_bit(array: np.ndarray, generator: np.random.Generator) -> None:
    array.reshape(-1).view(f"u{array.itemsize}")[generator.integers(array.size)] ^= 1


def _one_weight(array: np.ndarray, generator: np.random.Generator) -> None:
    array.reshape(-1)[generator.integers(array.size)] *= array.dtype.type(1.001)


def _rounded(array: np.ndarray, generator: np.random.Generator) -> None:
    del generator
    if array.ndim > 1:
        array[...] = array.astype(np.float16)


def _zeroed(array: np.ndarray, generator: np.random.Generator) -> None:
    del generator
    array[...] = 0


def _swapped_elements(array: np.ndarray, generator: np.random.Generator) -> None:
    first, second = generator.integers(array.size, size=2)
    flat = array.reshape(-1)
    flat[[first, second]] = flat[[second, first]]


_CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], None]] = dict(
    zip(TENSOR_FAULTS, (_one_bit, _one_weight, _rounded, _zeroed, _swapped_elements), strict=True)
)


def _change_node(model: onnx.ModelProto, generator: np.random.Generator) -> Planted:
    """Change the operator of a random node, or one of its attributes."""
    node = model.graph.node[generator.integers(len(model.graph.node))]
    before = node.SerializeToString()
    attributes = [each for each in node.attribute if each.name not in ("to", "auto_pad", "value", "direction")]
    if node.op_type in OTHER_OPERATORS and (not attributes or generator.random() < 0.5):
        node.op_type = OTHER_OPERATORS[node.op_type]
        if node.op_type in ("Relu", "Sigmoid"):
            del node.attribute[:]
    elif attributes:
        attribute = attributes[generator.integers(len(attributes))]
        if attribute.type == onnx.AttributeProto.INT:
            attribute.i = attribute.i ^ 1
        elif attribute.type == onnx.AttributeProto.FLOAT:
            attribute.f = attribute.f * 1.1
        elif attribute.type == onnx.AttributeProto.INTS and attribute.ints:
            attribute.ints[:] = [*attribute.ints[1:], attribute.ints[0]]
    if node.SerializeToString() == before:
        return None
    return node.output[0], model.SerializeToString()


def listed_faults(surveys: dict[str, dict[str, Outcome]]) -> str:
    """A Markdown list of the faults that were accepted in numbers that the proof names."""
    return "".join(
        f"- {name}, {kind}: {', '.join(outcome.listed)}\n"
        for name, outcomes in surveys.items()
        for kind, outcome in outcomes.items()
        if outcome.listed
    )


def table(surveys: dict[str, dict[str, Outcome]]) -> str:
    """A Markdown table: faults refused by the content of a tensor + by outputs, of those planted, for each kind."""
    lines = [f"| network | {' | '.join(FAULTS)} | caught | listed | accepted |", "|---" * (len(FAULTS) + 4) + "|"]
    for network, outcomes in surveys.items():
        cells = [f"{o.by_content} + {o.by_outputs} of {o.planted}" for o in outcomes.values()]
        total: Counter[str] = Counter()
        for outcome in outcomes.values():
            total.update(
                caught=outcome.by_content + outcome.by_outputs,
                planted=outcome.planted,
                listed=len(outcome.listed),
                accepted=len(outcome.accepted),
            )
        ends = f"{total['caught']} of {total['planted']} | {total['listed']} | {total['accepted']}"
        lines.append(f"| {network} | {' | '.join(cells)} | {ends} |")
    return "\n".join(lines)
