"""Write the steps of a network as JavaScript: one call of a function for each step."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from export.formats.js_functions import ERF, LAYERS, OPERATORS, OWN, WITH_ERF, decimal, own_name
from export.formats.source_code.scratch import Scratch, plan_scratch
from export.formats.source_code.steps import Concat, Conv1d, Dense, Elementwise, LayerNorm, Network, Softmax, Step
from export.formats.source_code.trees import (
    Apply,
    Constant,
    Element,
    Expression,
    Number,
    Repeated,
    Tensor,
    functions_of,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class JsWriter:
    """What the JavaScript of a network is written with.

    Attributes:
        network: the network.
        scratch: where the buffers stand.
        names: the identifier of each constant, by its name in the model.
    """

    network: Network
    scratch: Scratch
    names: dict[str, str]

    def functions(self) -> str:
        """Return the definitions of the functions that the steps need."""
        steps = self.network.steps
        used = {name for step in steps if isinstance(step, Elementwise) for name in functions_of(step.expression)}
        called = {line.partition("(")[0] for step in steps for line in self._step(step)}
        texts = [ERF] if used.intersection(WITH_ERF) else []
        for function, (parameters, value) in OWN.items():
            if function in used:
                texts.append(f"function {own_name(function)}({parameters}) {{\n  return {value};\n}}\n")
        texts += [text for name, text in LAYERS.items() if name in called]
        return "\n".join(texts)

    def rows(self) -> str:
        """Return the body of the loop over the rows, where the input begins at `start` and the output at `end`."""
        return "".join(f"    {line}\n" for step in self.network.steps for line in self._step(step))

    def _step(self, step: Step) -> list[str]:
        match step:
            case Dense():
                outputs, features = step.weight.values.shape
                sizes = {"lines": step.input.size // features, "features": features, "outputs": outputs}
                return [_call("dense", self._at(step.input), self._at(step.output), *self._weights(step), sizes)]
            case Conv1d():
                return [self._conv(step)]
            case LayerNorm():
                size = step.scale.values.size
                sizes = {"lines": step.input.size // size, "size": size}
                constants = self.names[step.scale.name], self._optional(step.bias)
                return [
                    _call(
                        "layerNorm",
                        self._at(step.input),
                        self._at(step.output),
                        *constants,
                        sizes | {"epsilon": decimal(step.epsilon)},
                    )
                ]
            case Softmax():
                size, inner = step.input.shape[step.axis], prod(step.input.shape[step.axis + 1 :])
                sizes = {"lines": step.input.size // (size * inner), "size": size, "inner": inner}
                return [_call("softmax", self._at(step.input), self._at(step.output), sizes)]
            case Concat():
                return self._concat(step)
            case Elementwise():
                array, start = self._place(step.output)
                value = self._expression(step.expression, step.output.size)
                loop = f"for (let place = 0; place < {step.output.size}; ++place)"
                return [f"{loop} {array}[{_sum(start, 'place')}] = {value};"]

    def _conv(self, step: Conv1d) -> str:
        outputs, inside, kernel = step.weight.values.shape
        sizes = {
            "length": step.input.shape[1],
            "places": step.output.shape[1],
            "outputs": outputs,
            "groups": step.groups,
            "inside": inside,
            "kernel": kernel,
            "stride": step.stride,
            "padding": step.padding,
            "dilation": step.dilation,
        }
        return _call("conv1d", self._at(step.input), self._at(step.output), *self._weights(step), sizes)

    def _concat(self, step: Concat) -> list[str]:
        inner = prod(step.output.shape[step.axis + 1 :])
        width = step.output.shape[step.axis] * inner
        calls, begin = list[str](), 0
        for tensor in step.inputs:
            size = tensor.shape[step.axis] * inner
            sizes = {"lines": step.output.size // width, "size": size, "width": width}
            calls.append(_call("copy", self._at(tensor), self._at(step.output, begin), sizes))
            begin += size
        return calls

    def _weights(self, step: Dense | Conv1d) -> tuple[str, str]:
        return self.names[step.weight.name], self._optional(step.bias)

    def _optional(self, constant: Constant | None) -> str:
        return "null" if constant is None else self.names[constant.name]

    def _place(self, tensor: Tensor) -> tuple[str, str]:
        """The array that holds a tensor, and where a row of it begins."""
        if tensor.buffer == 0:
            return "input", "start"
        if tensor.buffer in self.scratch.in_output:
            return "output", "end"
        return "scratch", str(self.scratch.offsets[tensor.buffer])

    def _at(self, tensor: Tensor, offset: int = 0) -> str:
        """The two arguments that name an element of a tensor."""
        array, start = self._place(tensor)
        return f"{array}, {_sum(start, str(offset))}"

    def _expression(self, expression: Expression, size: int) -> str:
        match expression:
            case Number():
                return decimal(expression.value)
            case Element():
                array, start = self._place(expression.tensor)
                index = _repeated(expression.tensor.size, expression.inner, size)
                return f"{array}[{_sum(start, index)}]"
            case Repeated():
                index = _repeated(expression.constant.values.size, expression.inner, size)
                return f"{self.names[expression.constant.name]}[{index}]"
            case Apply():
                parts = [self._expression(part, size) for part in expression.arguments]
                function = expression.function
                if function in OPERATORS:
                    return OPERATORS[function].format(*parts)
                return f"{own_name(function)}({', '.join(parts)})"


def js_writer(network: Network) -> JsWriter:
    """Plan the memory of a network, and name its constants."""
    return JsWriter(network=network, scratch=plan_scratch(network), names=network.identifiers())


def _repeated(count: int, inner: int, size: int) -> str:
    """The index of an element that is broadcast."""
    index = "place" if inner == 1 else f"Math.floor(place / {inner})"
    return "0" if count == 1 else index if count * inner == size else f"{index} % {count}"


def _call(name: str, *words: "str | Mapping[str, int | str]") -> str:
    texts = [word if isinstance(word, str) else _object(word) for word in words]
    return f"{name}({', '.join(texts)});"


def _object(sizes: "Mapping[str, int | str]") -> str:
    return "{ " + ", ".join(f"{name}: {value}" for name, value in sizes.items()) + " }"


def _sum(start: str, offset: str) -> str:
    return " + ".join(word for word in (start, offset) if word != "0") or "0"
