"""Tables that the tests write, read and see refused."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, settings

from linreg.errors import DataError
from linreg.reading.tables import read_table

TWO = b"x,y\n1,2\n2,3\n"
# tmp_path is shared by the examples of a property: each writes the file anew.
many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path, content):
    if isinstance(content, pa.Table):
        pyarrow.parquet.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder, content, *, features=None, target="y"):
    return read_table(write(folder / "table", content), features=features, target=target)


def refused(folder, content, match, **chosen):
    with pytest.raises(DataError, match=match) as caught:
        read(folder, content, **chosen)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'table'}: ")
    assert message.isprintable()
    assert len(message) < 500 + len(str(folder))


def parquet(**columns):
    return pa.table({"y": [2.0, 3.0, 5.0], **columns})


def parquet_bytes(table, **options):
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, **options)
    return stream.getvalue()


def bits(values):
    return np.ascontiguousarray(values).view(np.int64).tolist()
