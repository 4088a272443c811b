"""The options that say how the cells of a table are written, shared by the commands that read one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.cli.options import refuse, usage_errors
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.reading.options import ReadOptions

TABLE = "Table"
OF_TABLES = ("decimal", "thousands", "delimiter", "missing")
PLACES = "a CSV (also compressed) or Parquet file, a folder of them, a quoted pattern, a URI, or - for CSV from a pipe"

Decimal = Annotated[
    str | None,
    typer.Option(metavar=".|,", help="Decimal mark of numbers in text. Default: a point.", rich_help_panel=TABLE),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        metavar="<sign>",
        help="Sign between groups of three digits, such as ',', or none; with '.' the decimal mark is a comma. "
        "Default: as in the training table, or none.",
        rich_help_panel=TABLE,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="<sign>", help=r"Sign between the cells of a CSV, such as ';' or '\t'.", rich_help_panel=TABLE
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<word>",
        help="Word for a missing value, such as '?' or -999, besides empty cells, NA and the like; may be repeated.",
        rich_help_panel=TABLE,
    ),
]


def read_options(
    decimal: str | None,
    thousands: str | None,
    delimiter: str | None,
    missing: list[str] | None,
    *,
    before: "ReadOptions | None" = None,
) -> "ReadOptions":
    """Return how the cells of a table are written.

    Args:
        decimal: value of `--decimal`; None if it was not given, here as below.
        thousands: value of `--thousands`.
        delimiter: value of `--delimiter`.
        missing: values of `--missing`.
        before: the options of the training table, which hold where none is given.

    Raises:
        typer.BadParameter: a value is wrong.
    """
    from linreg.reading.options import AS_USUAL, with_options

    with usage_errors():
        return with_options(
            before or AS_USUAL,
            decimal=decimal,
            thousands=thousands,
            delimiter=delimiter,
            missing=None if missing is None else tuple(missing),
        )


def check_apart(output: Path, table: str) -> None:
    """Check that a command does not write into the folder of the table that it reads.

    Raises:
        LinregError: the output is that folder, or inside it.
    """
    given = Path(table)
    if given.is_dir() and given.resolve() in (output.resolve(), *output.resolve().parents):
        raise LinregError(f"{output}: is inside the table {table}, which is never changed; choose another -o")


def refuse_table_options(context: typer.Context, what: str) -> None:
    """Refuse these options where no table is read.

    Args:
        context: context of the command.
        what: what is used instead of a table.

    Raises:
        typer.BadParameter: one was given.
    """
    refuse(context, OF_TABLES, f"belongs to a table, and this is {what}; leave it out")
