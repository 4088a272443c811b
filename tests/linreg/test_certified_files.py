"""NIST's problems as files whose row groups have three rows: the certified digits, and those of the arrays."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.fitting import fit
from tests.least_squares_problems import digits, nist


@pytest.mark.parametrize("times", [1, 100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["Norris", "Longley", "Wampler1", "Wampler5"])
def test_certified_digits_of_row_groups_of_three_rows(tmp_path, name, times):
    features, target, certified, _ = nist(name)
    names = [f"x{place}" for place in range(features.shape[1])]
    columns = np.tile(np.column_stack([features, target]), (times, 1)).T
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table(dict(zip([*names, "y"], columns, strict=True))), path, row_group_size=3)
    assert pyarrow.parquet.ParquetFile(path).num_row_groups == -(-len(target) * times // 3)
    model = fit(path, target="y", dtype="float64", split=1, memory=1 if times > 1 else "256MB")
    found = [model.coefficients[-1].value, *(each.value for each in model.coefficients[:-1])]
    assert min(digits(got, wanted) for got, (wanted, _) in zip(found, certified, strict=True)) >= 10
