"""Run SQL on SQLite in memory like any other artifact."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.sql_text import TABLE, SqlText, quoted, read_sql
from export.runners.base import Call, Runner
from export.runners.trust import TrustedBytes
from linreg.errors import LinregError, ModelError, one_line

Array = NDArray[Any]

FUNCTIONS = frozenset({"exp", "ln", "sqrt", "tanh", "abs"})


def describe_sqlite() -> str:
    """Return the version of SQLite for the manifest."""
    return f"SQLite {sqlite3.sqlite_version}"


def sql_runner(name: str, data: TrustedBytes) -> Runner:
    """Prepare a query, which may only read the input and compute.

    SQLite stores NaN as NULL, so an output that is NULL is read as NaN.

    Raises:
        LinregError: this SQLite has no mathematical functions.
        ModelError: the file is not SQL that linreg wrote, or SQLite rejects it.
    """
    text = read_sql(name, data)
    with closing(_filled(name, text, [])) as empty:
        _answers(name, text, empty)

    def bind(inputs: tuple[Array, ...]) -> Call:
        (given,) = inputs
        if given.dtype != text.dtype or not given.ndim or given.shape[1:] != text.input_shape:
            wanted = ", ".join(map(str, ("batch", *text.input_shape)))
            raise ValueError(f"got {given.dtype} of {given.shape}, expected {text.dtype} of ({wanted})")
        database = _filled(name, text, given.reshape(len(given), len(text.columns)).tolist())

        def run() -> list[tuple[Any, ...]]:
            return _answers(name, text, database)

        def outputs() -> tuple[Array, ...]:
            rows = [row[-len(text.predicted) :] for row in run()]
            answers = np.array(rows, np.float64).reshape(-1, *text.output_shape)  # None becomes NaN
            with np.errstate(over="ignore", under="ignore"):
                return (answers.astype(text.dtype),)

        return Call(run=run, outputs=outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        return text.weights

    return Runner(name=name, bind=bind, parameters=parameters, folds=not text.affine)


def _filled(name: str, text: SqlText, rows: Iterable[list[float]]) -> sqlite3.Connection:
    """Return a database with the rows of an input, which from now on can only be read."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        columns = ", ".join(f"{quoted(column)} REAL" for column in text.columns)
        database.execute(f"CREATE TABLE {TABLE} ({columns})")
        marks = ", ".join("?" * len(text.columns))
        database.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", rows)
    except sqlite3.Error as error:
        database.close()
        raise ModelError(f"{name}: SQLite does not take its columns: {one_line(error)}") from None
    database.set_authorizer(_allowed)
    return database


def _allowed(action: int, _first: str | None, second: str | None, *_where: str | None) -> int:
    """Allow a query to read, and to call the functions that linreg writes."""
    reads = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    calls = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS
    return sqlite3.SQLITE_OK if reads or calls else sqlite3.SQLITE_DENY


def _answers(name: str, text: SqlText, database: sqlite3.Connection) -> list[tuple[Any, ...]]:
    try:
        return database.execute(text.query).fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "no such function" in str(error):
            raise LinregError(
                f"{name}: cannot be verified, as SQLite {sqlite3.sqlite_version} of this Python was built without "
                f"mathematical functions ({one_line(error)}); use a Python whose SQLite has them"
            ) from None
        raise ModelError(f"{name}: SQLite rejects it: {one_line(error)[:200]}") from None
