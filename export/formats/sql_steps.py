"""Write each element of the output of a network as an SQL expression."""

from collections.abc import Sequence
from math import prod

from export.formats.source_code.steps import Concat, Conv1d, Dense, Elementwise, LayerNorm, Network, Softmax, Step
from export.formats.source_code.trees import Apply, Constant, Element, Expression, Function, Number, Repeated, Tensor
from export.formats.sql_columns import Subqueries, Term, joined
from export.formats.sql_functions import LOW, TEXTS, WITH_CONSTANT, literal
from export.formats.sql_text import quoted
from linreg.errors import ExportError

MAX_TERMS = 10_000
"""At this limit, SQLite and DuckDB take about a second to prepare the query."""

MAX_STEPS = 50

SUMMANDS = 64
"""How many terms are added in a row, since SQLite nests at most 1000."""


class SqlWriter:
    """Writes the expressions of a network, one for each element of its output.

    Attributes:
        network: the network.
        columns: names of the columns that hold the elements of a row of the input.
        terms: how many products and functions were written so far.
    """

    def __init__(self, network: Network, columns: Sequence[str], *, numbered: bool) -> None:
        """Start without any terms.

        Args:
            network: the network.
            columns: names of the columns.
            numbered: write the place of each number beside it, by which the text of a module that is not affine is
                verified.

        Raises:
            ExportError: there are too many steps.
        """
        if len(network.steps) > MAX_STEPS:
            raise ExportError(
                f"sql: the network has {len(network.steps)} steps, expected {MAX_STEPS} at most; use onnx"
            )
        self.network, self.columns, self.terms = network, columns, 0
        self._steps = {step.output.buffer: step for step in network.steps}
        self._places = {constant.name: place for place, constant in enumerate(network.constants())}
        self._numbered = numbered
        self._low = self._value(LOW[str(network.dtype)]).text
        self._used = set[tuple[str, int]]()

    def expressions(self) -> list[str]:
        """Return the expression of each element of the output.

        Raises:
            ExportError: they have too many terms, or a function that databases compute differently.
        """
        return [self._expression(place) for place in range(self.network.output.size)]

    def unused(self) -> list[str]:
        """Names of the constants of which no expression written so far has every number."""
        return [
            constant.name
            for constant in self.network.constants()
            if any((constant.name, place) not in self._used for place in range(constant.values.size))
        ]

    def _expression(self, place: int) -> str:
        self._subqueries, self._made = Subqueries(), dict[tuple[int, int], Term]()
        return self._subqueries.expression(self._element(self.network.output, place))

    def _element(self, tensor: Tensor, place: int) -> Term:
        key = (tensor.buffer, place)
        if key not in self._made:
            if tensor.buffer == 0:
                made = Term(text=f"CAST(given.{quoted(self.columns[place])} AS DOUBLE PRECISION)")
            else:
                made = self._computed(self._steps[tensor.buffer], place)
            last = tensor.buffer == self.network.output.buffer
            self._made[key] = made if last or not self._numbered else self._subqueries.bind(made)
        return self._made[key]

    def _computed(self, step: Step, place: int) -> Term:
        match step:
            case Dense():
                return self._dense(step, place)
            case Conv1d():
                return self._conv(step, place)
            case LayerNorm():
                return self._layer_norm(step, place)
            case Softmax():
                return self._softmax(step, place)
            case Concat():
                return self._concat(step, place)
            case Elementwise():
                return self._elementwise(step.expression, place)

    def _dense(self, step: Dense, place: int) -> Term:
        outputs, features = step.weight.values.shape
        line, output = divmod(place, outputs)
        products = [
            self._join(
                "{0} * {1}",
                self._element(step.input, line * features + feature),
                self._number(step.weight, output * features + feature),
            )
            for feature in range(features)
        ]
        return self._biased(products, step.bias, output)

    def _conv(self, step: Conv1d, place: int) -> Term:
        outputs, inside, kernel = step.weight.values.shape
        length = step.input.shape[1]
        channel, start = divmod(place, step.output.shape[1])
        first = channel // (outputs // step.groups) * inside
        products = []
        for row in range(inside):
            for tap in range(kernel):
                position = start * step.stride + tap * step.dilation - step.padding
                if 0 <= position < length:
                    given = self._element(step.input, (first + row) * length + position)
                    weight = self._number(step.weight, (channel * inside + row) * kernel + tap)
                    products.append(self._join("{0} * {1}", given, weight))
        return self._biased(products, step.bias, channel)

    def _biased(self, products: list[Term], bias: Constant | None, place: int) -> Term:
        return self._sum([*products, *([] if bias is None else [self._number(bias, place)])])

    def _layer_norm(self, step: LayerNorm, place: int) -> Term:
        size = step.scale.values.size
        line, place = divmod(place, size)
        row = [self._element(step.input, line * size + other) for other in range(size)]
        count = self._value(float(size))
        mean = self._bound("({0}) / {1}", self._sum(row), count)
        squares = [self._join("({0} - {1}) * ({0} - {1})", given, mean) for given in row]
        spread = self._bound("({0}) / {1}", self._sum(squares), count)
        deviation = self._bound("SQRT({0} + {1})", spread, self._value(step.epsilon))
        scale = self._number(step.scale, place)
        scaled = self._join("({0} - {1}) / {2} * {3}", row[place], mean, deviation, scale)
        return self._biased([scaled], step.bias, place)

    def _softmax(self, step: Softmax, place: int) -> Term:
        size, inner = step.input.shape[step.axis], prod(step.input.shape[step.axis + 1 :])
        first = place - place // inner % size * inner
        row = [self._element(step.input, first + other * inner) for other in range(size)]
        most = self._most(row)
        powers = [self._subqueries.bind(self._applied(Function.EXP, [self._join("({0} - {1})", x, most)])) for x in row]
        return self._join("({0} / {1})", powers[place // inner % size], self._bound("{0}", self._sum(powers)))

    def _most(self, terms: Sequence[Term]) -> Term:
        """The greatest of terms; NaN or NULL if one of them is."""
        if len(terms) == 1:
            return terms[0]
        halves = self._most(terms[: len(terms) // 2]), self._most(terms[len(terms) // 2 :])
        return self._subqueries.bind(self._applied(Function.MAXIMUM, list(halves)))

    def _concat(self, step: Concat, place: int) -> Term:
        inner = prod(step.output.shape[step.axis + 1 :])
        line, place = divmod(place, step.output.shape[step.axis] * inner)
        for tensor in step.inputs:
            size = tensor.shape[step.axis] * inner
            if place < size:
                return self._element(tensor, line * size + place)
            place -= size
        raise AssertionError("the output is as long as its inputs")

    def _elementwise(self, expression: Expression, place: int) -> Term:
        match expression:
            case Number():
                return self._value(expression.value)
            case Element():
                return self._element(expression.tensor, place // expression.inner % expression.tensor.size)
            case Repeated():
                constant = expression.constant
                return self._number(constant, place // expression.inner % constant.values.size)
            case Apply():
                arguments = [self._elementwise(argument, place) for argument in expression.arguments]
                return self._applied(expression.function, arguments)

    def _applied(self, function: Function, arguments: list[Term]) -> Term:
        if function is Function.GELU:
            given = self._subqueries.bind(arguments[0])
            inside = self._applied(Function.ERF, [self._join("({0} * 0.7071067811865476e0)", given)])
            return self._join("({0} * 0.5e0 * (1e0 + {1}))", given, inside)
        if function is Function.POWER and arguments[1].text in (literal(2.0), literal(3.0)):
            template = "({0} * {0})" if arguments[1].text == literal(2.0) else "({0} * {0} * {0})"
            return self._join(template, self._subqueries.bind(arguments[0]))
        place = WITH_CONSTANT.get(function)
        if function not in TEXTS or (place is not None and not arguments[place].constant):
            raise ExportError(
                f"sql: the network computes {function.replace('_', ' ')} of a computed value, which databases do "
                "differently where it has no real value; use onnx"
            )
        *steps, last = TEXTS[function]
        for step in steps:
            arguments = [self._subqueries.bind(argument) for argument in arguments]
            arguments.append(self._bound(step, *arguments))
        once = [last.count(f"{{{place}}}") < 2 for place in range(len(arguments))]
        return self._join(
            last,
            *(one if single else self._subqueries.bind(one) for one, single in zip(arguments, once, strict=True)),
        )

    def _sum(self, terms: Sequence[Term]) -> Term:
        """Add terms; the sum stands without parentheses around it."""
        while len(terms) > SUMMANDS:
            parts = [terms[first : first + SUMMANDS] for first in range(0, len(terms), SUMMANDS)]
            terms = [joined("(" + _added(len(part), self._plus) + ")", part) for part in parts]
        return joined(_added(len(terms), self._plus), terms) if terms else self._value(0.0)

    @property
    def _plus(self) -> str:
        return " + " if self._numbered else "\n    + "

    def _bound(self, template: str, *terms: Term) -> Term:
        return self._subqueries.bind(self._join(template, *terms))

    def _join(self, template: str, *terms: Term) -> Term:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise ExportError(
                f"sql: the expressions have more than {MAX_TERMS} terms (products and functions), those of the hidden "
                "values once for each output; use a smaller network, or onnx"
            )
        return joined(template.replace("low", self._low), terms)

    def _number(self, constant: Constant, place: int) -> Term:
        """An element of a constant; a numbered one is followed by its place."""
        self._used.add((constant.name, place))
        value = float(constant.values.reshape(-1)[place])
        return self._value(value, f"/*{self._places[constant.name]}.{place}*/" if self._numbered else "")

    def _value(self, value: float, remark: str = "") -> Term:
        text = f"{literal(value)}{remark}"
        return Term(text=f"({text})" if text.startswith("-") else text, constant=True, short=True)


def _added(count: int, plus: str) -> str:
    return plus.join(f"{{{place}}}" for place in range(count))
