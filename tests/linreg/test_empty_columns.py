"""A column without any value is named, however the table is cut into units."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.fitting import fit

ROWS = 1_200_000
"""More than one unit."""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_column_without_values_is_named(tmp_path, workers):
    x = np.arange(ROWS, dtype=np.float64)
    empty = pa.nulls(ROWS, pa.float64())
    pyarrow.parquet.write_table(
        pa.table({"x": x, "empty": empty, "y": 2 * x}), tmp_path / "t.parquet", row_group_size=2**17
    )
    with pytest.raises(DataError, match="'empty': has no values"):
        fit(tmp_path / "t.parquet", target="y", features=["x", "empty"], workers=workers, memory="1MB")
