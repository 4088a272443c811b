"""Numbers and functions in C. A function is an operator, one of math.h, or a short one that the file defines."""

from export.formats.source_code.trees import Function

TYPES = {"float32": ("float", "f"), "float64": ("double", "")}
"""The C type of each dtype, and the suffix of its numbers and of its functions in math.h."""

OPERATORS = {
    Function.ADD: "({} + {})",
    Function.SUBTRACT: "({} - {})",
    Function.MULTIPLY: "({} * {})",
    Function.DIVIDE: "({} / {})",
    Function.GREATER: "({} > {})",
    Function.LESS: "({} < {})",
    Function.WHERE: "({} ? {} : {})",
    Function.NEGATE: "(-{})",
}

LIBM = {
    Function.POWER: "pow",
    Function.ABSOLUTE: "fabs",
    Function.SQUARE_ROOT: "sqrt",
    Function.EXP: "exp",
    Function.LOG: "log",
    Function.ERF: "erf",
    Function.TANH: "tanh",
}
"""Functions of math.h, whose names end in f for float."""

OWN = {
    Function.MAXIMUM: ("a, b", "return a > b || a != a ? a : b;"),
    Function.MINIMUM: ("a, b", "return a < b || a != a ? a : b;"),
    Function.CLIP: ("x, least, most", "return x < least ? least : x > most ? most : x;"),
    Function.RECIPROCAL: ("x", "return 1 / x;"),
    Function.SIGMOID: ("x", "const NUMBER small = exp@(-fabs@(x));\n    return (x < 0 ? small : 1) / (1 + small);"),
    Function.SOFTPLUS: ("x", "return log1p@(exp@(-fabs@(x))) + (x < 0 ? 0 : x);"),
    Function.RELU: ("x", "return x < 0 ? 0 : x;"),
    Function.LEAKY_RELU: ("x, slope", "return x < 0 ? slope * x : x;"),
    Function.ELU: ("x, slope", "return x < 0 ? slope * expm1@(x) : x;"),
    Function.GELU: ("x", "return x * (NUMBER)0.5 * (1 + erf@(x * (NUMBER)0.70710678118654752440));"),
    Function.GELU_TANH: (
        "x",
        "const NUMBER inner = x + (NUMBER)0.044715 * x * x * x;\n"
        "    return x * (NUMBER)0.5 * (1 + tanh@((NUMBER)0.79788456080286535588 * inner));",
    ),
}
"""Parameters and body; @ is the suffix of a function of math.h.

A comparison with NaN is false, which lets NaN through.
"""


def own_function(function: Function, prefix: str, kind: str, suffix: str) -> str:
    """Return the definition of one of `OWN`."""
    names, body = OWN[function]
    parameters = ", ".join(f"{kind} {name}" for name in names.split(", "))
    text = body.replace("NUMBER", kind).replace("@", suffix)
    return f"static {kind} {prefix}_{function}({parameters})\n{{\n    {text}\n}}\n\n"


def hexadecimal(value: float) -> str:
    """Return the exact value as a hexadecimal float such as 0x1.8p+1, in Python's notation without trailing zeros."""
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"
