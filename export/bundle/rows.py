"""Read the rows of a table, so that files can be verified on them too."""

from pathlib import Path
from typing import TYPE_CHECKING

from linreg.errors import DataError, LinregError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from linreg.card import Card


def rows_to_verify(table: Path, card: "Card | None", model: Path) -> "NDArray[np.float64]":
    """Return the complete rows of a table, shape (rows, features), with the columns in the model's order.

    Args:
        table: a CSV or Parquet file with the model's columns.
        card: the card of the model, which names the columns.
        model: path of the model, used in messages.

    Raises:
        LinregError: the model has no card, so its columns have no names.
        DataError: the table cannot be read, or has no complete row.
    """
    from linreg.reading.tables import read_table

    if card is None:
        raise LinregError(
            f"--data: {model} is not a model of linreg train with a card.json, so its columns have no names; "
            "leave --data out"
        )
    rows = read_table(table, features=card.features, target=None).features
    if not len(rows):
        raise DataError(
            f"--data: {table} has no complete row, so nothing would be verified with it; expected at least 1"
        )
    return rows
