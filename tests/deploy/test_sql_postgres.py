"""model.sql in PostgreSQL, as tests/export/formats/test_sql_databases.py in SQLite and DuckDB."""

import functools
import math
import re

import pytest
import torch
from torch import nn

from export.formats.sql import to_sql
from export.formats.sql_text import read_sql
from tests.deploy.postgres import started_postgres
from tests.feed_forward_networks import source_of
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
    special,
)
from tests.sql_special_values import FAR, ROWS, WITH_EXP, check_special_values


@pytest.fixture(scope="module")
def postgres():
    with started_postgres() as ask:
        yield ask


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda name: exported(name, folder / name))


@pytest.mark.parametrize("name", BUNDLES)
def test_the_vectors_pass(bundles, name, postgres):
    check_vectors_pass(bundles(name), postgres)


@pytest.mark.parametrize(("name", "fault"), PLANTED)
def test_a_planted_fault_fails(bundles, name, fault, postgres):
    check_planted_fault_fails(bundles(name), fault, postgres)


def test_hostile_names_are_columns(postgres):
    check_hostile_names(postgres)


@pytest.mark.parametrize("layer", [nn.Identity(), *ACTIVATIONS], ids=str)
def test_null_stays_null_and_nan_stays_nan(layer, postgres):
    found = special(postgres, nn.Sequential(nn.Linear(1, 1), layer, nn.Linear(1, 1)), [None, math.nan])
    assert found[0] is None
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    "layer", [nn.ELU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.Softmax(-1)], ids=str
)
def test_an_exponential_of_a_large_number_does_not_underflow(layer, postgres):
    module = nn.Sequential(nn.Linear(1, 2), layer, nn.Linear(2, 1))
    values = [-1e6, -1e3, 1e3, 1e6]
    with torch.inference_mode():
        expected = module.double()(torch.tensor(values).double()[:, None])[:, 0].tolist()
    found = special(postgres, module.float(), values)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layer", WITH_EXP, ids=str)
def test_an_exp_that_underflows_is_zero(layer, postgres):
    check_special_values(layer, [[value] for value in FAR], postgres)


def test_softmax_of_infinity_is_that_of_torch(postgres):
    check_special_values(nn.Softmax(-1), ROWS, postgres)


def test_a_product_that_underflows_is_an_error(postgres):
    source = source_of(nn.Linear(1, 1).double(), "x=float64[batch,1]")
    with torch.no_grad():
        source.module.weight[:] = 1e-200
    with pytest.raises(RuntimeError, match="out of range: underflow"):
        postgres(to_sql(source).decode(), ["x"], [[1e-200]])


def test_integers_become_floating_numbers(postgres):
    check_integers_become_floating_numbers(postgres)


def test_a_table_of_another_name_is_read_with_the_words_of_the_comment(postgres):
    start, end = re.findall(r"(WITH .*)\(this query\)(.*)", QUERY)[0]
    words = start.replace("your_table", "(SELECT 1.0 AS x, 'kept' AS word) AS mine") + f"({QUERY})" + end
    assert postgres(words, ["x"], []) == [(1.0, "kept", 0.75)]


def test_a_missing_column_is_an_error(postgres):
    with pytest.raises(RuntimeError, match=r"column given\.x does not exist"):
        postgres(QUERY, ["y"], [[1.0]])


def test_an_overflow_is_an_error(postgres):
    source = source_of(nn.Linear(1, 1).double(), "x=float64[batch,1]")
    with torch.no_grad():
        source.module.weight[:] = 1e308
    with pytest.raises(RuntimeError, match="out of range"):
        postgres(to_sql(source).decode(), ["x"], [[1e308]])


def test_the_planner_does_not_write_hidden_values_into_each_other(bundles, postgres):
    text = read_sql("model.sql", (bundles("mlp") / "model.sql").read_bytes())
    plan = postgres(text.query, text.columns, [], "EXPLAIN VERBOSE")
    assert len(str(plan)) < 4 * len(text.query)


@pytest.mark.parametrize("name", ["penguins", "activations"])
def test_a_table_with_an_added_column_is_an_error(bundles, name, postgres):
    check_a_table_with_an_added_column_is_an_error(postgres, bundles(name))
