"""Write the steps of a network as C, row by row."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from export.formats.c_functions import LIBM, OPERATORS, OWN, TYPES, hexadecimal, own_function
from export.formats.source_code.scratch import Scratch, plan_scratch
from export.formats.source_code.steps import Concat, Conv1d, Dense, Elementwise, LayerNorm, Network, Softmax, Step
from export.formats.source_code.trees import (
    Apply,
    Constant,
    Element,
    Expression,
    Function,
    Number,
    Repeated,
    Tensor,
    functions_of,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CWriter:
    """What the C of a network is written with.

    Attributes:
        network: the network.
        prefix: prefix of the C identifiers.
        scratch: where the buffers stand.
        names: the identifier of each constant, by its name in the model.
    """

    network: Network
    prefix: str
    scratch: Scratch
    names: dict[str, str]

    @property
    def kind(self) -> str:
        """The C type of all numbers."""
        return TYPES[str(self.network.dtype)][0]

    @property
    def suffix(self) -> str:
        """The suffix of numbers and of functions in math.h."""
        return TYPES[str(self.network.dtype)][1]

    def functions(self) -> str:
        """Return the definitions of the functions that the steps need."""
        steps = [step for step in self.network.steps if isinstance(step, Elementwise)]
        used = {function for step in steps for function in functions_of(step.expression)}
        return "".join(
            own_function(function, self.prefix, self.kind, self.suffix) for function in OWN if function in used
        )

    def rows(self) -> str:
        """Return the body of the loop over the rows."""
        lines = [line for step in self.network.steps for line in self._step(step)]
        return "".join(f"        {line}\n" for line in lines)

    def _step(self, step: Step) -> list[str]:
        match step:
            case Dense():
                return self._dense(step)
            case Conv1d():
                return self._conv(step)
            case LayerNorm():
                return self._layer_norm(step)
            case Softmax():
                return self._softmax(step)
            case Concat():
                return self._concat(step)
            case Elementwise():
                value = self._expression(step.expression, step.output.size)
                return _loop("place", self._size(step.output), [f"{self._at(step.output, 'place')} = {value};"])

    def _at(self, tensor: Tensor, index: str) -> str:
        """An element of a tensor."""
        if tensor.buffer == 0:
            return f"input[{index}]"
        if tensor.buffer in self.scratch.in_output:
            return f"output[{index}]"
        offset = self.scratch.offsets[tensor.buffer]
        return f"scratch[{offset} + {index}]" if offset else f"scratch[{index}]"

    def _size(self, tensor: Tensor) -> str:
        """The size of a tensor, by the name that the header gives it."""
        macro = self.prefix.upper()
        if tensor.buffer == 0:
            return f"{macro}_FEATURES"
        return f"{macro}_OUTPUTS" if tensor.buffer == self.network.output.buffer else str(tensor.size)

    def _name(self, constant: Constant) -> str:
        return self.names[constant.name]

    def _biased(self, bias: Constant | None, index: str) -> str:
        return "sum" if bias is None else f"sum + {self._name(bias)}[{index}]"

    def _number(self, value: float) -> str:
        return f"({hexadecimal(value)}{self.suffix})" if value < 0 else f"{hexadecimal(value)}{self.suffix}"

    def _dense(self, step: Dense) -> list[str]:
        outputs, features = step.weight.values.shape
        lines = step.input.size // features
        few = lines == 1
        width = self._size(step.input) if few else str(features)
        height = self._size(step.output) if few else str(outputs)
        read = _sum(_times("line", features, lines), "feature")
        written = _sum(_times("line", outputs, lines), "place")
        inner = _loop(
            "feature", width, [f"sum = fma{self.suffix}({self._at(step.input, read)}, weight[feature], sum);"]
        )
        body = _loop(
            "place",
            height,
            [
                f"const {self.kind} *weight = {self._name(step.weight)} + place * {width};",
                f"{self.kind} sum = 0;",
                *inner,
                f"{self._at(step.output, written)} = {self._biased(step.bias, 'place')};",
            ],
        )
        return _repeat("line", lines, body)

    def _conv(self, step: Conv1d) -> list[str]:
        outputs, inside, kernel = step.weight.values.shape
        length, places = step.input.shape[1], step.output.shape[1]
        group = f"(channel / {outputs // step.groups} * {inside} + inside)" if step.groups > 1 else "inside"
        shift = f" - {step.padding}" if step.padding else ""
        read = self._at(step.input, f"{group} * {length} + position{shift}")
        add = f"sum = fma{self.suffix}({read}, weight[inside * {kernel} + tap], sum);"
        reach = (places - 1) * step.stride + (kernel - 1) * step.dilation
        limits = [f"position >= {step.padding}"] if step.padding else []
        limits += [f"position < {step.padding + length}"] if reach >= step.padding + length else []
        taps = [
            f"const size_t position = {_times('place', step.stride)} + {_times('tap', step.dilation)};",
            *([f"if ({' && '.join(limits)}) {{", f"    {add}", "}"] if limits else [add]),
        ]
        sums = [
            f"{self.kind} sum = 0;",
            *_loop("inside", str(inside), _loop("tap", str(kernel), taps)),
            f"{self._at(step.output, f'channel * {places} + place')} = {self._biased(step.bias, 'channel')};",
        ]
        weight = f"const {self.kind} *weight = {self._name(step.weight)} + channel * {inside * kernel};"
        return _loop("channel", str(outputs), [weight, *_loop("place", str(places), sums)])

    def _layer_norm(self, step: LayerNorm) -> list[str]:
        size = step.scale.values.size
        lines = step.input.size // size
        index = _sum(_times("line", size, lines), "place")
        given, number = self._at(step.input, index), f"{size}{'.0f' if self.suffix else '.0'}"
        bias = "" if step.bias is None else f" + {self._name(step.bias)}[place]"
        centred = f"({given} - first - mean)"
        scaled = f"{centred} / deviation * {self._name(step.scale)}[place]{bias}"
        body = [
            f"const {self.kind} first = {self._at(step.input, _times('line', size, lines) or '0')};",
            f"{self.kind} mean = 0, rest = 0, variance = 0;",
            *_loop("place", str(size), [f"mean += {given} - first;"]),
            f"mean /= {number};",
            *_loop("place", str(size), [f"rest += {given} - first - mean;"]),
            f"mean += rest / {number};",
            *_loop("place", str(size), [f"variance += {centred} * {centred};"]),
            f"const {self.kind} deviation = sqrt{self.suffix}(variance / {number} + {self._number(step.epsilon)});",
            *_loop("place", str(size), [f"{self._at(step.output, index)} = {scaled};"]),
        ]
        return _block("line", lines, body)

    def _softmax(self, step: Softmax) -> list[str]:
        size, inner = step.input.shape[step.axis], prod(step.input.shape[step.axis + 1 :])
        lines = step.input.size // (size * inner)
        start = [_times("line", size * inner, lines), _times("column", 1, inner)]
        index = _sum(*start, _times("place", inner))
        given, made = self._at(step.input, index), self._at(step.output, index)
        body = [
            f"{self.kind} most = {self._at(step.input, _sum(*start))}, sum = 0;",
            *_loop("place", str(size), [f"most = {given} > most ? {given} : most;"]),
            *_loop("place", str(size), [f"{made} = exp{self.suffix}({given} - most);", f"sum += {made};"]),
            *_loop("place", str(size), [f"{made} /= sum;"]),
        ]
        if lines == inner == 1:
            return _block("line", 1, body)
        return _repeat("line", lines, _repeat("column", inner, body))

    def _concat(self, step: Concat) -> list[str]:
        inner = prod(step.output.shape[step.axis + 1 :])
        width = step.output.shape[step.axis] * inner
        lines = step.output.size // width
        written, begin = list[str](), 0
        for tensor in step.inputs:
            size = tensor.shape[step.axis] * inner
            place = self._at(step.output, _sum(_times("line", width, lines), str(begin) if begin else "", "place"))
            copy = f"{place} = {self._at(tensor, _sum(_times('line', size, lines), 'place'))};"
            written += _repeat("line", lines, _loop("place", str(size), [copy]))
            begin += size
        return written

    def _expression(self, expression: Expression, size: int) -> str:
        match expression:
            case Number():
                return self._number(expression.value)
            case Element():
                return self._at(expression.tensor, _repeated(expression.tensor.size, expression.inner, size))
            case Repeated():
                index = _repeated(expression.constant.values.size, expression.inner, size)
                return f"{self._name(expression.constant)}[{index}]"
            case Apply():
                parts = [self._expression(part, size) for part in expression.arguments]
                return self._applied(expression.function, parts)

    def _applied(self, function: Function, parts: list[str]) -> str:
        if function in OPERATORS:
            return OPERATORS[function].format(*parts)
        name = f"{LIBM[function]}{self.suffix}" if function in LIBM else f"{self.prefix}_{function}"
        return f"{name}({', '.join(parts)})"


def c_writer(network: Network, prefix: str) -> CWriter:
    """Plan the memory of a network, and name its constants."""
    names = {name: f"{prefix}_{word}" for name, word in network.identifiers().items()}
    return CWriter(network=network, prefix=prefix, scratch=plan_scratch(network), names=names)


def _repeated(count: int, inner: int, size: int) -> str:
    """The index of an element that is broadcast."""
    index = "place" if inner == 1 else f"place / {inner}"
    return "0" if count == 1 else index if count * inner == size else f"{index} % {count}"


def _loop(name: str, count: str, body: Iterable[str]) -> list[str]:
    return [f"for (size_t {name} = 0; {name} < {count}; ++{name}) {{", *(f"    {line}" for line in body), "}"]


def _repeat(name: str, count: int, body: list[str]) -> list[str]:
    """A loop, or only its body if that runs once; the body then does not use the name."""
    return body if count == 1 else _loop(name, str(count), body)


def _block(name: str, count: int, body: list[str]) -> list[str]:
    """As `_repeat`, for a body that declares variables."""
    return ["{", *(f"    {line}" for line in body), "}"] if count == 1 else _loop(name, str(count), body)


def _times(name: str, stride: int, count: int = 0) -> str:
    """A term of an index; empty if the index takes only one value."""
    return "" if count == 1 else name if stride == 1 else f"{name} * {stride}"


def _sum(*terms: str) -> str:
    return " + ".join(term for term in terms if term) or "0"
