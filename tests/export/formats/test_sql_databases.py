"""model.sql in SQLite and DuckDB: the vectors pass, planted faults fail, NaN is not NULL. PostgreSQL: tests/deploy."""

import functools
import math
import re
import sqlite3

import duckdb
import pytest
from torch import nn

from tests.sql_databases import (
    ACTIVATIONS,
    BUNDLES,
    PLANTED,
    QUERY,
    check_a_table_with_an_added_column_is_an_error,
    check_hostile_names,
    check_integers_become_floating_numbers,
    check_planted_fault_fails,
    check_vectors_pass,
    exported,
    in_duckdb,
    special,
    sqlite,
)

DATABASES = pytest.mark.parametrize("ask", [sqlite, in_duckdb])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda name: exported(name, folder / name))


@DATABASES
@pytest.mark.parametrize("name", BUNDLES)
def test_the_vectors_pass(bundles, name, ask):
    check_vectors_pass(bundles(name), ask)


@DATABASES
@pytest.mark.parametrize(("name", "fault"), PLANTED)
def test_a_planted_fault_fails(bundles, name, fault, ask):
    check_planted_fault_fails(bundles(name), fault, ask)


@DATABASES
def test_hostile_names_are_columns(ask):
    check_hostile_names(ask)


AFFINE, NETWORK = nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))


@pytest.mark.parametrize("module", [AFFINE, NETWORK])
def test_null_and_nan_are_told_apart_where_a_database_has_both(module):
    found = special(in_duckdb, module, [None, math.nan, 1.0])
    assert found[0] is None
    assert math.isnan(found[1])
    assert math.isfinite(found[2])
    assert special(sqlite, module, [None, math.nan])[:2] == [None, None], "SQLite stores NaN as NULL"


@DATABASES
@pytest.mark.parametrize(
    "layer",
    ACTIVATIONS,
    ids=str,
)
def test_no_function_loses_nan_or_null(layer, ask):
    found = special(ask, nn.Sequential(nn.Linear(1, 1), layer, nn.Linear(1, 1)), [None, math.nan])
    assert found[0] is None
    assert found[1] is None if ask is sqlite else math.isnan(found[1])


@DATABASES
def test_integers_become_floating_numbers(ask):
    check_integers_become_floating_numbers(ask)


@DATABASES
def test_a_table_of_another_name_is_read_with_the_words_of_the_comment(ask):
    start, end = re.findall(r"(WITH .*)\(this query\)(.*)", QUERY)[0]
    words = start.replace("your_table", "(SELECT 1.0 AS x, 'kept' AS word)") + f"({QUERY})" + end
    assert ask(words, ["x"], []) == [(1.0, "kept", 0.75)]


@DATABASES
def test_a_missing_column_is_an_error(ask):
    with pytest.raises((sqlite3.OperationalError, duckdb.BinderException), match="x"):
        ask(QUERY, ["y"], [[1.0]])


@DATABASES
@pytest.mark.parametrize("name", ["penguins", "activations"])
def test_a_table_with_an_added_column_is_an_error(bundles, name, ask):
    check_a_table_with_an_added_column_is_an_error(ask, bundles(name))
