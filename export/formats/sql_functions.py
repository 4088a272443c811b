"""Numbers and functions in SQL that mean the same in SQLite, DuckDB and PostgreSQL.

In DuckDB and PostgreSQL, NaN is greater than every number, and SQLite has NULL in its place. So a comparison has the
argument on the left of `<`, which is then not true, and ELSE lets the argument through. In PostgreSQL, an exp that
underflows is an error, so it is 0 where its argument is less than `low`.
"""

from export.formats.source_code.trees import Function

LOW = {"float32": -104.0, "float64": -600.0}
"""The exp of a smaller argument is 0, as nearly as matters: for float32, less than half of the smallest number."""


def literal(value: float) -> str:
    """Return a number in double precision, which the exponent tells from a decimal."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _polynomial(x: str, *coefficients: float) -> str:
    """A polynomial, written from its highest power on."""
    text = literal(coefficients[0])
    for coefficient in coefficients[1:]:
        text = f"({text} * {x} + {literal(coefficient)})"
    return text


def _exp(x: str) -> str:
    return f"CASE WHEN {x} < low THEN 0e0 ELSE EXP({x}) END"


# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969), 631: erf below 0.46875,
# and erfc from there to 4. Beyond 4, where erfc is less than 1.6e-8, the same quotient is near enough.
_ERF_ABOVE = (
    (
        2.15311535474403846e-8,
        0.564188496988670089,
        8.88314979438837594,
        66.1191906371416295,
        298.635138197400131,
        881.95222124176909,
        1712.04761263407058,
        2051.07837782607147,
        1230.33935479799725,
    ),
    (
        1.0,
        15.7449261107098347,
        117.693950891312499,
        537.181101862009858,
        1621.38957456669019,
        3290.79923573345963,
        4362.61909014324716,
        3439.36767414372164,
        1230.33935480374942,
    ),
)
_ERF_BELOW = (
    (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947),
    (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062),
)
_ERF = (
    "CASE WHEN -ABS({0}) < -27e0 THEN 27e0 ELSE ABS({0}) END",
    "({1} * {1})",
    f"{_exp('-{2}')} * {_polynomial('{1}', *_ERF_ABOVE[0])} / {_polynomial('{1}', *_ERF_ABOVE[1])}",
    f"(CASE WHEN {{1}} < 0.46875e0 THEN {{0}} * {_polynomial('{2}', *_ERF_BELOW[0])} / "
    f"{_polynomial('{2}', *_ERF_BELOW[1])} WHEN {{0}} < 0e0 THEN {{3}} - 1e0 ELSE 1e0 - {{3}} END)",
)

TEXTS: dict[Function, tuple[str, ...]] = {
    Function.ADD: ("({0} + {1})",),
    Function.SUBTRACT: ("({0} - {1})",),
    Function.MULTIPLY: ("({0} * {1})",),
    Function.DIVIDE: ("({0} / {1})",),
    Function.MAXIMUM: ("CASE WHEN {0} < {1} THEN {1} WHEN {1} IS NULL THEN {1} ELSE {0} END",),
    Function.MINIMUM: ("CASE WHEN -{0} < -{1} THEN {1} WHEN {1} IS NULL THEN {1} ELSE {0} END",),
    Function.GREATER: ("({1} - {0}) < 0e0",),
    Function.LESS: ("({0} - {1}) < 0e0",),
    Function.WHERE: ("CASE WHEN {0} THEN {1} ELSE {2} END",),
    Function.CLIP: ("CASE WHEN {0} < {1} THEN {1} WHEN -{0} < -{2} THEN {2} ELSE {0} END",),
    Function.NEGATE: ("(-{0})",),
    Function.ABSOLUTE: ("ABS({0})",),
    Function.RECIPROCAL: ("(1e0 / {0})",),
    Function.SQUARE_ROOT: ("SQRT({0})",),
    Function.EXP: (_exp("{0}"),),
    Function.ERF: _ERF,
    Function.TANH: ("TANH({0})",),
    Function.SIGMOID: (_exp("-ABS({0})"), "(CASE WHEN {0} < 0e0 THEN {1} ELSE 1e0 END / (1e0 + {1}))"),
    Function.SOFTPLUS: (_exp("-ABS({0})"), "(LN(1e0 + {1}) + CASE WHEN {0} < 0e0 THEN 0e0 ELSE {0} END)"),
    Function.RELU: ("CASE WHEN {0} < 0e0 THEN 0e0 ELSE {0} END",),
    Function.LEAKY_RELU: ("CASE WHEN {0} < 0e0 THEN {1} * {0} ELSE {0} END",),
    Function.ELU: (f"CASE WHEN {{0}} < 0e0 THEN {{1}} * ({_exp('{0}')} - 1e0) ELSE {{0}} END",),
    Function.GELU: ("({0} * 0.7071067811865476e0)",),
    Function.GELU_TANH: ("({0} * 0.5e0 * (1e0 + TANH(0.7978845608028654e0 * ({0} + 0.044715e0 * {0} * {0} * {0}))))",),
}
"""One text, or several: each but the last computes a value, which the later ones read as a further argument."""

WITH_CONSTANT = {Function.DIVIDE: 1, Function.RECIPROCAL: 0, Function.SQUARE_ROOT: 0}
"""Which argument must be constant, as databases differ on 1 / 0 and on the root of a negative number."""
