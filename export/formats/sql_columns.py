"""Terms of an SQL expression, and the subqueries that compute a value once for all terms that read it.

A subquery is a common table expression of one row. It reads the one before it as `s`, and keeps the values that a later
one needs. `LIMIT 1` keeps a planner from writing its terms into the next one, which would grow without bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from linreg.errors import ExportError

MAX_COLUMNS = 1500
"""PostgreSQL allows 1600 columns, SQLite 2000."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A part of an expression.

    Attributes:
        text: the SQL.
        level: number of the subquery that it reads; 0 if it reads the table, or nothing.
        reads: the values that it reads from there.
        constant: it reads no column.
        short: it is a number or a column, which can be written twice.
    """

    text: str
    level: int = 0
    reads: frozenset[str] = frozenset()
    constant: bool = False
    short: bool = False


def joined(template: str, terms: Sequence[Term]) -> Term:
    """Return a term whose text has others in the places {0}, {1} and so on of a template."""
    return Term(
        text=template.format(*(term.text for term in terms)),
        level=max((term.level for term in terms), default=0),
        reads=frozenset().union(*(term.reads for term in terms)),
        constant=all(term.constant for term in terms),
    )


class Subqueries:
    """The subqueries of one expression, while it is written."""

    def __init__(self) -> None:
        self._bound: dict[str, Term] = {}
        self._texts: list[dict[str, str]] = [{}]
        self._last: dict[str, int] = {}

    def bind(self, term: Term) -> Term:
        """Return a term that reads the value of another from a subquery; one that is short is returned as it is."""
        if term.short:
            return term
        if term.text not in self._bound:
            name, level = f"v{len(self._bound)}", term.level + 1
            if level == len(self._texts):
                self._texts.append({})
            self._texts[level][name] = term.text
            self._read(term, level)
            self._bound[term.text] = Term(text=f"s.{name}", level=level, reads=frozenset([name]), short=True)
        return self._bound[term.text]

    def expression(self, term: Term) -> str:
        """Return the expression of a term, with the subqueries that it needs.

        Raises:
            ExportError: a subquery has too many columns.
        """
        if term.level == 0:
            return term.text
        self._read(term, term.level + 1)
        kept: list[str] = []
        written = []
        for level in range(1, term.level + 1):
            kept = [name for name in kept if self._last[name] > level]
            columns = [f"s.{name} AS {name}" for name in kept]
            columns += [f"{text} AS {name}" for name, text in self._texts[level].items()]
            if len(columns) > MAX_COLUMNS:
                raise ExportError(
                    f"sql: a layer has {len(columns)} values, expected {MAX_COLUMNS} at most, the limit of databases; "
                    "use onnx"
                )
            kept += self._texts[level]
            source = f"\n  FROM s{level - 1} AS s" if level > 1 else ""
            written.append(f"s{level} AS (SELECT\n  " + ",\n  ".join(columns) + f"{source} LIMIT 1)")
        return "(WITH " + ",\n".join(written) + f"\nSELECT {term.text} FROM s{term.level} AS s)"

    def _read(self, term: Term, level: int) -> None:
        for name in term.reads:
            self._last[name] = max(level, self._last.get(name, 0))
