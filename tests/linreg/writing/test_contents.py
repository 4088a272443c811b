"""Files of tables: read back by pyarrow and gzip, one row group per batch, the same bytes for the same rows."""

import gzip
import io

import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.writing.contents import check_parquet, csv_contents, gzip_contents, parquet_contents

SCHEMA = pa.schema([("id", pa.large_string()), ("p", pa.float32())])
BATCHES = [
    pa.record_batch([["a", 'b"'], pa.array([1.5, None], pa.float32())], schema=SCHEMA),
    pa.record_batch([["c"], pa.array([2.5], pa.float32())], schema=SCHEMA),
]
EMPTY = [pa.record_batch([pa.array([], kind) for kind in SCHEMA.types], schema=SCHEMA)]


def written(contents):
    stream = io.BytesIO()
    contents(stream)
    return stream.getvalue()


@pytest.mark.parametrize("batches", [BATCHES, EMPTY], ids=["rows", "empty"])
def test_parquet_comes_back_with_its_types(batches):
    data = written(parquet_contents(batches))
    assert pyarrow.parquet.read_table(io.BytesIO(data)) == pa.Table.from_batches(batches)
    assert data == written(parquet_contents(batches))


def test_parquet_has_a_row_group_per_batch_and_no_dictionary():
    found = pyarrow.parquet.ParquetFile(io.BytesIO(written(parquet_contents(BATCHES)))).metadata
    assert [found.row_group(place).num_rows for place in range(found.num_row_groups)] == [2, 1]
    columns = [found.row_group(group).column(place) for group in range(2) for place in range(2)]
    assert not any(column.has_dictionary_page for column in columns)


@pytest.mark.parametrize("batches", [BATCHES, EMPTY], ids=["rows", "empty"])
def test_gzip_holds_the_csv_and_neither_name_nor_time(batches):
    data = written(gzip_contents(batches))
    assert gzip.decompress(data) == written(csv_contents(batches))
    assert data[3] == 0, "no flag: no name, no comment"
    assert data[4:8] == bytes(4), "no time"


def test_two_columns_of_one_name_are_refused_in_parquet():
    check_parquet("t", SCHEMA)
    with pytest.raises(DataError, match=r"t\.csv: two columns are called 'p'; .*or write CSV"):
        check_parquet("t.csv", pa.schema([*SCHEMA, ("p", pa.float64())]))
