"""Numbers and functions in JavaScript. A function is an operator, one of Math, or a short one in the module.

In the texts, f(...) rounds to float32; a model of float64 has no f. The functions in `OWN`, and layerNorm, compute in
double precision and round once.
"""

from typing import Any

from numpy.typing import NDArray

from export.formats.source_code.trees import Function

Array = NDArray[Any]

ARRAYS = {"float32": "Float32Array", "float64": "Float64Array"}
"""The typed array of each dtype."""

OPERATORS = {
    Function.ADD: "f({} + {})",
    Function.SUBTRACT: "f({} - {})",
    Function.MULTIPLY: "f({} * {})",
    Function.DIVIDE: "f({} / {})",
    Function.GREATER: "({} > {})",
    Function.LESS: "({} < {})",
    Function.WHERE: "({} ? {} : {})",
    Function.NEGATE: "(-{})",
    Function.RECIPROCAL: "f(1 / {})",
    Function.POWER: "f(Math.pow({}, {}))",
    Function.ABSOLUTE: "Math.abs({})",
    Function.SQUARE_ROOT: "f(Math.sqrt({}))",
    Function.EXP: "f(Math.exp({}))",
    Function.LOG: "f(Math.log({}))",
    Function.TANH: "f(Math.tanh({}))",
    Function.ERF: "f(erf({}))",
}

OWN = {
    Function.MAXIMUM: ("a, b", "a > b || a !== a ? a : b"),
    Function.MINIMUM: ("a, b", "a < b || a !== a ? a : b"),
    Function.CLIP: ("x, least, most", "x < least ? least : x > most ? most : x"),
    Function.SIGMOID: ("x", "f(1 / (1 + Math.exp(-x)))"),
    Function.SOFTPLUS: ("x", "f(Math.log1p(Math.exp(-Math.abs(x))) + (x < 0 ? 0 : x))"),
    Function.RELU: ("x", "x < 0 ? 0 : x"),
    Function.LEAKY_RELU: ("x, slope", "x < 0 ? f(slope * x) : x"),
    Function.ELU: ("x, slope", "x < 0 ? f(slope * Math.expm1(x)) : x"),
    Function.GELU: ("x", "f(x * 0.5 * (1 + erf(x * Math.SQRT1_2)))"),
    Function.GELU_TANH: (
        "x",
        "f(x * 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))))",
    ),
}
"""Parameters and value. A comparison with NaN is false, which lets NaN through."""

WITH_ERF = (Function.ERF, Function.GELU)

ERF = """\
/** The error function: a series of positive terms below 1.5, and a continued fraction for 1 - erf above. */
function erf(x) {
  const square = x * x;
  if (!(square < 36)) return x < 0 ? -1 : x > 0 ? 1 : x;
  if (square < 2.25) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); ++n) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum;
  }
  const size = Math.abs(x);
  let fraction = size;
  for (let n = 80; n > 0; --n) fraction = size + n / 2 / fraction;
  const rest = Math.exp(-square) / Math.sqrt(Math.PI) / fraction;
  return x < 0 ? rest - 1 : 1 - rest;
}
"""

LAYERS = {
    "dense": """\
function dense(from, start, to, place, weight, bias, { lines, features, outputs }) {
  for (let line = 0; line < lines; ++line, start += features) {
    for (let output = 0, at = 0; output < outputs; ++output) {
      let sum = 0;
      for (let feature = 0; feature < features; ++feature) sum = f(sum + from[start + feature] * weight[at++]);
      to[place++] = bias === null ? sum : sum + bias[output];
    }
  }
}
""",
    "conv1d": """\
function conv1d(from, start, to, place, weight, bias, sizes) {
  const { length, places, outputs, groups, inside, kernel, stride, padding, dilation } = sizes;
  for (let channel = 0; channel < outputs; ++channel) {
    const first = start + Math.floor((channel * groups) / outputs) * inside * length;
    for (let output = 0; output < places; ++output) {
      let at = channel * inside * kernel;
      let sum = 0;
      for (let line = 0; line < inside; ++line) {
        for (let tap = 0; tap < kernel; ++tap, ++at) {
          const position = output * stride + tap * dilation - padding;
          if (position >= 0 && position < length) sum = f(sum + from[first + line * length + position] * weight[at]);
        }
      }
      to[place++] = bias === null ? sum : sum + bias[channel];
    }
  }
}
""",
    "layerNorm": """\
function layerNorm(from, start, to, place, scale, bias, { lines, size, epsilon }) {
  for (let line = 0; line < lines; ++line, start += size, place += size) {
    const first = from[start];
    let mean = 0;
    let rest = 0;
    let variance = 0;
    for (let at = 0; at < size; ++at) mean += from[start + at] - first;
    mean /= size;
    for (let at = 0; at < size; ++at) rest += from[start + at] - first - mean;
    mean += rest / size;
    for (let at = 0; at < size; ++at) variance += (from[start + at] - first - mean) ** 2;
    const deviation = Math.sqrt(variance / size + epsilon);
    for (let at = 0; at < size; ++at) {
      const scaled = ((from[start + at] - first - mean) / deviation) * scale[at];
      to[place + at] = bias === null ? scaled : scaled + bias[at];
    }
  }
}
""",
    "softmax": """\
function softmax(from, start, to, place, { lines, size, inner }) {
  for (let line = 0; line < lines * inner; ++line) {
    const begin = Math.floor(line / inner) * size * inner + (line % inner);
    let most = from[start + begin];
    for (let at = 1; at < size; ++at) most = Math.max(most, from[start + begin + at * inner]);
    let sum = 0;
    for (let at = begin; at < begin + size * inner; at += inner) {
      to[place + at] = Math.exp(from[start + at] - most);
      sum = f(sum + to[place + at]);
    }
    for (let at = begin; at < begin + size * inner; at += inner) to[place + at] /= sum;
  }
}
""",
    "copy": """\
function copy(from, start, to, place, { lines, size, width }) {
  for (let line = 0; line < lines; ++line, start += size, place += width) {
    for (let at = 0; at < size; ++at) to[place + at] = from[start + at];
  }
}
""",
}
"""A function for each kind of step: it reads a row from `from[start]` on, and writes one to `to[place]` on."""


def own_name(function: Function) -> str:
    """Return the name that one of `OWN` has in JavaScript, such as leakyRelu."""
    first, *rest = function.split("_")
    return first + "".join(word.title() for word in rest)


def decimal(value: float) -> str:
    """Return the shortest decimal number that JavaScript reads as this value; one in an expression is a double."""
    return f"({value!r})" if value < 0 else repr(value)


def decimals(values: Array) -> list[str]:
    """Return the shortest decimal numbers that a typed array of the same dtype reads as these values."""
    return [_shortest(value) for value in values.reshape(-1)]


def _shortest(value: Any) -> str:
    """Of float32, the text is read as a double first, and rounded again."""
    text = str(value)
    return text if type(value)(float(text)) == value else repr(float(value))
