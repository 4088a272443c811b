"""Databases that run model.sql in tests, and what every one of them must do."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.bundle.vectors import check_vectors
from export.formats.sql import to_sql
from export.formats.sql_functions import literal
from export.formats.sql_text import TABLE, quoted, read_sql
from export.runners.base import Call, Runner
from export.source.source import Source
from linreg.errors import MismatchError
from tests.conftest import ROOT
from tests.feed_forward_networks import NETWORKS, network, source_of

Rows = Sequence[Sequence[float | None]]
Ask = Callable[[str, Sequence[str], Rows], list[tuple[Any, ...]]]
"""Fills a table with columns and rows, and returns the rows of a query."""

HOSTILE = [
    'a"b',
    '"',
    'x"; DROP TABLE linreg_input; --',
    "it's",
    "two\nlines",
    "\\q",
    "*/ 1 /*",
    "/*0.0*/",
    "-- 2",
    "?1 :name $1 %s @v",
    "{0}",
    "1.5e0 * 2e0",
    "select",
    "given.x",
    "größe \N{GREEK SMALL LETTER PI}",
    " ",
]

ACTIVATIONS = [
    nn.ReLU6(),
    nn.LeakyReLU(),
    nn.ELU(),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Softplus(),
]


def sqlite(query: str, columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as database:
        return _filled(database, query, columns, rows)


def in_duckdb(query: str, columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(config={"threads": 1})) as database:
        return _filled(database, query, columns, rows)


def _filled(database: Any, query: str, columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    database.execute(f"CREATE TABLE {TABLE} ({', '.join(f'{quoted(name)} DOUBLE PRECISION' for name in columns)})")
    if rows:
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", [list(row) for row in rows])
    answers: list[tuple[Any, ...]] = database.execute(query).fetchall()
    return answers


def runner(data: bytes, ask: Ask) -> Runner:
    """A file that a database runs. A NULL is read as NaN, which SQLite has in its place."""
    text = read_sql("model.sql", data)

    def bind(inputs: tuple[Any, ...]) -> Call:
        (given,) = inputs

        def outputs() -> tuple[Any, ...]:
            rows = ask(text.query, text.columns, given.reshape(len(given), len(text.columns)).astype(float).tolist())
            found = np.array([row[len(text.columns) :] for row in rows], np.float64)
            with np.errstate(over="ignore", under="ignore"):
                return (found.reshape(-1, *text.output_shape).astype(text.dtype),)

        return Call(run=outputs, outputs=outputs, context=nullcontext)

    return Runner(name="model.sql", bind=bind, parameters=lambda: text.weights)


def export_network(name: str, folder: Path) -> Path:
    export(network(name), folder, inputs=NETWORKS[name][1], formats=["onnx", "sql"], budget="1s")
    return folder


def committed(name: str, folder: Path) -> Path:
    """A copy of a committed bundle, with model.sql."""
    shutil.copytree(ROOT / "artifacts" / "reference" / name, folder)
    export(folder, folder, formats="sql")
    return folder


def exported(name: str, folder: Path) -> Path:
    """A bundle with model.sql: of a network, or a committed one."""
    return export_network(name, folder) if name in NETWORKS else committed(name, folder)


def check_vectors_pass(bundle: Path, ask: Ask) -> None:
    found = check_vectors(runner((bundle / "model.sql").read_bytes(), ask), bundle)
    assert found.cases >= 2
    assert found.worst_error < 1


def _one_bit(found: re.Match[str]) -> str:
    bits = np.float32(float(found[2])).view(np.uint32) ^ np.uint32(1 << 22)
    return f"{found[1]}{literal(float(bits.view(np.float32)))}"


FAULTS: dict[str, tuple[str, Callable[[re.Match[str]], str]]] = {
    "one bit": (r"(\* \(?)(-?[\d.]+e-?\d+)", _one_bit),
    "swapped features": (
        r'given\."([^"]+)"([^"]+given)\."([^"]+)"',
        lambda found: f'given."{found[3]}"{found[2]}."{found[1]}"',
    ),
    "dropped bias": (r"\s\+ \(?-?[\d.]+e-?\d+(/\*\d+\.\d+\*/)?\)?(?=\s+AS )", lambda _: ""),
}


BUNDLES = ["line", "penguins", *NETWORKS]
PLANTED = [(name, fault) for name in BUNDLES for fault in FAULTS if (name, fault) != ("line", "swapped features")]
"""The line has one feature."""


def check_planted_fault_fails(bundle: Path, fault: str, ask: Ask) -> None:
    pattern, wrong = FAULTS[fault]
    comment, end, query = (bundle / "model.sql").read_text().rpartition("*/\n")
    planted, count = re.subn(pattern, wrong, query, count=1)
    assert count == 1
    text = read_sql("model.sql", (bundle / "model.sql").read_bytes())
    damaged = replace(text, query=comment + end + planted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.sql_databases.read_sql", lambda *_: damaged)
        broken = runner(b"", ask)
    with pytest.raises(MismatchError, match=r"model\.sql: "):
        check_vectors(broken, bundle)


def hostile_source() -> Source:
    torch.manual_seed(3)
    source = source_of(nn.Linear(len(HOSTILE), 1), f"x=float32[batch,{len(HOSTILE)}]")
    return replace(source, metadata=source.metadata | {"features": HOSTILE, "target": 'mass"; --\n*/'})


def check_hostile_names(ask: Ask) -> None:
    source = hostile_source()
    data = to_sql(source)
    (rows,) = source.random_inputs({"batch": 5}, 1.0, 1)
    (found,) = runner(data, ask).bind((rows,)).outputs()
    with torch.inference_mode():
        expected = source.module(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def special(ask: Ask, module: nn.Module, values: Sequence[float | None]) -> list[float | None]:
    """The predictions of a module with one input and one output."""
    text = read_sql("model.sql", to_sql(source_of(module, "x=float32[batch,1]")))
    return [row[-1] for row in ask(text.query, text.columns, [[value] for value in values])]


def half() -> nn.Linear:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight[:], layer.bias[:] = 0.5, 0.25
    return layer


QUERY = to_sql(source_of(half(), "x=float32[batch,1]")).decode()


class Squares(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = half()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squares: torch.Tensor = self.layer(x**2)
        return squares


def check_integers_become_floating_numbers(ask: Ask) -> None:
    """The square of this one is no integer of 32 bits."""
    query = to_sql(source_of(Squares(), "x=float32[batch,1]")).decode()
    of_integers = query.replace("FROM linreg_input", "FROM (SELECT CAST(100000 AS INTEGER) AS x)")
    assert ask(of_integers, ["x"], []) == [(100000, 5000000000.25)]


def check_a_table_with_an_added_column_is_an_error(ask: Ask, bundle: Path) -> None:
    """Otherwise the answer would have two columns of one name, and a query around it might read the wrong one."""
    text = read_sql("model.sql", (bundle / "model.sql").read_bytes())
    columns = [*text.columns, text.predicted[-1].upper() if ask in (sqlite, in_duckdb) else text.predicted[-1]]
    assert ask(text.query, [*text.columns, "other"], [[1.0] * len(columns)])
    with pytest.raises((sqlite3.OperationalError, duckdb.BinderException, RuntimeError), match=r"(?i)ambiguous"):
        ask(text.query, columns, [[1.0] * len(columns)])
