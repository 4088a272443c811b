"""Infinity and underflow in SQLite and DuckDB; tests/deploy/test_sql_postgres.py does the same in PostgreSQL."""

import pytest
from torch import nn

from tests.sql_databases import in_duckdb, sqlite
from tests.sql_special_values import FAR, ROWS, WITH_EXP, check_special_values

DATABASES = pytest.mark.parametrize("ask", [sqlite, in_duckdb])


@DATABASES
@pytest.mark.parametrize("layer", WITH_EXP, ids=str)
def test_an_exp_that_underflows_is_zero(layer, ask):
    check_special_values(layer, [[value] for value in FAR], ask)


@DATABASES
def test_softmax_of_infinity_is_that_of_torch(ask):
    check_special_values(nn.Softmax(-1), ROWS, ask)
