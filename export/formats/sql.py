"""Write an affine module or a small feed-forward network as SQL: one SELECT expression for each element of its output.

The query reads double precision columns of `linreg_input`, and adds the predictions to them. A column is named with the
table that it belongs to, since SQLite reads the name of a missing column, alone in quotes, as a text.
"""

from typing import TYPE_CHECKING

from export.formats.source_code.comment import comment
from export.formats.source_code.network import network_of
from export.formats.sql_columns import MAX_COLUMNS
from export.formats.sql_steps import MAX_TERMS, SqlWriter
from export.formats.sql_text import FIRST_LINE, FIRST_LINE_OF_NETWORK, TABLE, alias, column_names, end_of_query
from export.source.source import Source
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

MAX_NAME_BYTES = 63
"""PostgreSQL ignores the rest of a longer name."""

RESERVED = {
    **dict.fromkeys(("rowid", "oid", "_rowid_"), "is the number of the row in SQLite or DuckDB"),
    **dict.fromkeys(("ctid", "tableoid", "xmin", "cmin", "xmax", "cmax"), "cannot be a column in PostgreSQL"),
}
"""Names that stand for something else where a table has no such column."""

_USE = f"""\
/* Reads {TABLE}, a table or view of numbers. For a table of yours:
 *   WITH {TABLE} AS (SELECT * FROM your_table) SELECT * FROM (this query) AS predicted
 * Arithmetic is double precision. A column that is NULL makes the predictions NULL, as far as they depend on it.
 * SQLite reads text as the number that it begins with, or as 0: check that the columns hold numbers.
 * The query adds columns to those of the table. A table that has one of their names is an error: it is ambiguous.
 */
"""


def to_sql(source: Source, *, program: "ExportedProgram | None" = None) -> bytes:
    """Return the text of model.sql, in UTF-8, without a semicolon at its end.

    Args:
        source: the module to export. One that is not affine is exported to ONNX first, and written from that file.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: an operator of the module cannot be written as SQL, it has too many terms or columns, its batch
            size is fixed, its dtype or values cannot be SQL constants, or a column has a name that databases refuse.
    """
    network = network_of(source, "sql", program)
    columns, predicted = column_names(source.metadata)
    _check_names([*columns, *predicted])
    weights = sum(constant.values.size for constant in network.constants())
    if weights > MAX_TERMS:
        raise ExportError(f"sql: the module has {weights} weights, expected {MAX_TERMS} at most; use onnx")
    affine = source.affine is not None
    writer = SqlWriter(network, columns, numbered=not affine)
    added = [f"    {expression}{alias(name)}" for expression, name in zip(writer.expressions(), predicted, strict=True)]
    if unused := writer.unused():
        raise ExportError(f"sql: no term uses all of {unused[0][:60]!r}, so it could not be verified; use onnx")
    first = FIRST_LINE if affine else FIRST_LINE_OF_NETWORK
    query = "SELECT given.*,\n" + ",\n".join(added) + end_of_query(predicted)
    return (comment(source, first, network) + _USE + query).encode()


def _check_names(names: list[str]) -> None:
    """Refuse names that a database does not take, or does not tell apart.

    Raises:
        ExportError: there is such a name, or there are too many.
    """
    if len(names) > MAX_COLUMNS:
        raise ExportError(
            f"sql: a row has {len(names)} columns, expected {MAX_COLUMNS} at most, the limit of databases; use onnx"
        )
    seen: dict[str, str] = {}
    cut: dict[str, str] = {}
    for name in names:
        if not name or "\0" in name or not _is_unicode(name):
            raise ExportError(f"sql: got a column named {name[:60]!r}, which no database takes; rename it")
        if meaning := RESERVED.get(name.casefold()):
            raise ExportError(f"sql: got a column named {name!r}, which {meaning}; rename it")
        other = seen.setdefault(name.casefold(), name)
        if other == name and names.count(name) > 1:
            raise ExportError(f"sql: got two columns named {name[:60]!r}; rename one, or the input or output")
        if other != name:
            raise ExportError(
                f"sql: columns {other[:60]!r} and {name[:60]!r} have one name in SQLite and DuckDB, which ignore "
                "upper and lower case; rename one"
            )
        if (other := cut.setdefault(_cut(name), name)) is not name:
            raise ExportError(
                f"sql: columns {other[:80]!r} and {name[:80]!r} have one name in PostgreSQL, which cuts names to "
                f"{MAX_NAME_BYTES} bytes; rename one"
            )


def _cut(name: str) -> str:
    """Return the characters of a name that PostgreSQL keeps."""
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)
