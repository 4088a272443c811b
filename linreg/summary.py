"""The summary of a fitted model: coefficients, and the goodness of fit of each part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linreg.affine import Affine
from linreg.card import Card
from linreg.coefficients import Coefficient
from linreg.escaping import html_table, html_text, printable
from linreg.rounding import p_value, to_error

WIDTH = 80
SHORTEST_CUT = 24
"""Names are cut to fit a table, but never shorter than this; the last column then gets a table of its own."""
METHODS = {"exact": "exact least squares", "sgd": "SGD", "adam": "Adam", "lbfgs": "L-BFGS"}
LOSSES = {"l1": "L1", "mse": "MSE", "huber": "Huber"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Summary:
    """A summary that prints as text in a terminal and as HTML in a notebook.

    Values are rounded according to their standard errors; `coefficients` has all digits.

    Attributes:
        title: the target, and how it was fitted.
        coefficients: the coefficients, with the bias last.
        metrics: rows, r2, rmse and mae by part.
        notes: remarks on the numbers, one line each.
    """

    title: str
    coefficients: tuple[Coefficient, ...]
    metrics: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        tables = [_text(*_coefficient_rows(self.coefficients))]
        if self.metrics:
            tables.append(metrics_table(self.metrics))
        return "\n\n".join([_shortened(printable(self.title), WIDTH), *tables, *map(printable, self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        tables = [html_table(*_coefficient_rows(self.coefficients))]
        if self.metrics:
            tables.append(html_table(*_metric_rows(self.metrics)))
        paragraphs = [f"<p>{html_text(note)}</p>" for note in self.notes]
        return "\n".join([f"<p><b>{html_text(self.title)}</b></p>", *tables, *paragraphs])


def summary_of(card: Card, coefficients: tuple[Coefficient, ...]) -> Summary:
    """Return the summary of a model that has a card."""
    way = METHODS[card.training["method"]]
    if card.training["method"] != "exact":
        way += f" on {LOSSES[card.training['loss']]} loss"
    notes: tuple[str, ...] = ()
    if card.training["method"] == "exact" and all(entry.standard_error is None for entry in coefficients):
        notes = ("No standard errors: there are no degrees of freedom, or columns are collinear.",)
    return Summary(
        title=f"{card.target}: {way}, {card.architecture}, {card.dtype}",
        coefficients=coefficients,
        metrics=card.metrics,
        notes=notes,
    )


def summary_without_card(affine: Affine, coefficients: tuple[Coefficient, ...]) -> Summary:
    """Return the summary of a bare .pth file."""
    return Summary(
        title=f"a model of {affine.weight.shape[1]} features, {affine.weight.dtype}",
        coefficients=coefficients,
        metrics={},
        notes=("Unknown, for lack of a card.json: names of features and target, data, settings and metrics.",),
    )


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the rows, R2, RMSE and MAE of each part as text.

    R2 has four decimals; RMSE and MAE have four significant digits.
    """
    return _text(*_metric_rows(metrics))


def _coefficient_rows(coefficients: Sequence[Coefficient]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows; a column in which no coefficient has a value is left out."""
    header = ["coefficient", "value", "true value", "std. error", "t", "p", "95 % interval"]
    rows = [_cells(entry) for entry in coefficients]
    used = [place for place in range(len(header)) if place < 2 or any(row[place] for row in rows)]
    return [header[place] for place in used], [[row[place] for place in used] for row in rows]


def _cells(entry: Coefficient) -> list[str]:
    error = entry.standard_error
    interval = "" if entry.interval is None else " to ".join(to_error(end, error) for end in entry.interval)
    return [
        printable(entry.name),
        to_error(entry.value, error),
        "" if entry.true_value is None else f"{entry.true_value:.7g}",
        "" if error is None else to_error(error, error),
        "" if entry.t is None else f"{entry.t:.2f}" if abs(entry.t) < 1e5 else f"{entry.t:.2e}",
        "" if entry.p is None else p_value(entry.p),
        interval,
    ]


def _metric_rows(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [printable(name), str(part["rows"]), "undefined" if part["r2"] is None else f"{part['r2']:.4f}"]
        + [f"{part[key]:#.4g}" for key in ("rmse", "mae")]
        for name, part in metrics.items()
    ]
    return ["part", "rows", "R2", "RMSE", "MAE"], rows


def _text(header: list[str], rows: list[list[str]]) -> str:
    """Align columns two spaces apart, the first one to the left; cut names so that no line is longer than `WIDTH`.

    If names would be cut too short, the last column moves to a table of its own.
    """
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    room = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    if min(widths[0], SHORTEST_CUT) > room and len(header) > 2:
        last = _text([header[0], header[-1]], [[row[0], row[-1]] for row in rows])
        return f"{_text(header[:-1], [row[:-1] for row in rows])}\n\n{last}"
    widths[0] = min(widths[0], room)
    lines = []
    for row in [header, *rows]:
        cells = [_shortened(row[0], widths[0]).ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
