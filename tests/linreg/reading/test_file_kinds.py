"""Files that are no table are called by what they are, with what to do."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest
import torch

from linreg.errors import DataError
from linreg.reading.tables import read_table

CSV = b"x,y\n1,2\n2,3\n"
TABLE = pa.table({"x": [1, 2], "y": [2, 3]})


def written(write):
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def archive(*names):
    def write(stream):
        with zipfile.ZipFile(stream, "w") as out:
            for name in names:
                out.writestr(name, b"application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else CSV)

    return written(write)


def tar(stream):
    with tarfile.open(fileobj=stream, mode="w") as out:
        out.addfile(tarfile.TarInfo("table.csv"), io.BytesIO(b""))


def arrow_stream(stream):
    with pa.ipc.new_stream(stream, TABLE.schema) as out:
        out.write_table(TABLE)


def zstandard(data):
    return pa.compress(data, codec="zstd", asbytes=True)


KINDS = {
    "xz": (lzma.compress(CSV), "is compressed with xz", "unxz"),
    "gzip-twice": (gzip.compress(gzip.compress(CSV)), "is gzip within gzip", "gunzip"),
    "zstd-in-bzip2": (bz2.compress(zstandard(CSV)), "is Zstandard within bzip2", "decompress it first: bunzip2"),
    "zip": (archive("table.csv"), "is a zip archive", "unzip"),
    "xlsx": (archive("[Content_Types].xml", "xl/workbook.xml"), "is an Excel workbook", "save it as 'CSV UTF-8'"),
    "ods": (archive("mimetype"), "is an OpenDocument workbook", "save it as 'CSV UTF-8'"),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        "is an old Excel workbook",
        "save it as 'CSV UTF-8'",
    ),
    "tar": (written(tar), "is a tar archive", "tar -xf"),
    "tar.gz": (gzip.compress(written(tar)), "is a tar archive", "tar -xf"),
    "feather": (written(lambda stream: pa.feather.write_feather(TABLE, stream)), "is Feather", "write Parquet"),
    "feather-1": (b"FEA1" + bytes(40) + b"FEA1", "is Feather, version 1", "write Parquet"),
    "arrow-stream": (written(arrow_stream), "is an Arrow IPC stream", "write Parquet"),
    "orc": (written(lambda stream: pa.orc.write_table(TABLE, stream)), "is ORC", "write it as CSV or Parquet"),
    "avro": (b"Obj\x01\x04\x16avro.schema", "is Avro", "write it as CSV or Parquet"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(8), "is HDF5", "write it as CSV or Parquet"),
    "npy": (written(lambda stream: np.save(stream, np.ones(3))), "is a NumPy array", "column names"),
    "npz": (written(lambda stream: np.savez(stream, x=np.ones(3))), "is a NumPy archive", "column names"),
    "torch": (written(lambda stream: torch.save({"w": torch.ones(1)}, stream)), "was written by torch.save", "-m"),
    "pickle": (pickle.dumps({"x": [1]}), "is a Python pickle", "write it as CSV or Parquet"),
    "json": (json.dumps({"x": [1, 2]}, indent=1).encode(), "is JSON,", "write it as CSV or Parquet"),
    "json-records": (b'[{"x": 1}, {"x": 2}]', "is JSON,", "write it as CSV or Parquet"),
    "json-lines": (b'{"x": 1}\n{"x": 2}\n', "is JSON lines", "write it as CSV or Parquet"),
    "json-arrays": (b"[0.5, 2]\n[1.5, 3]\n", "is JSON lines", "write it as CSV or Parquet"),
    "utf-16-be": ("x,y\n1,2\n".encode("utf-16-be"), "is UTF-16, expected UTF-8", "save it again"),
    "utf-16-le": ("x,y\n1,2\n".encode("utf-16-le"), "is UTF-16, expected UTF-8", "save it again"),
    "utf-32": ("x,y\n1,2\n".encode("utf-32"), "is UTF-32, expected UTF-8", "save it again"),
    "pdf": (b"%PDF-1.7\n1,2\n", "is PDF", "get the table itself"),
    "html": (b"<html></html>", "is HTML or XML", "fetch the file"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer", "git lfs pull"),
    "noise": (b"x,y\n1,\0\n", "has a zero byte at offset 6", "Write it as CSV or Parquet"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named_with_what_to_do(tmp_path, kind):
    content, what, remedy = KINDS[kind]
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(path, features=None, target="y")
    assert what in str(caught.value)
    assert remedy in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_database(tmp_path):
    with sqlite3.connect(tmp_path / "table.csv") as database:
        database.execute("create table t (x, y)")
    with pytest.raises(DataError, match="is an SQLite database, expected CSV or Parquet; write one of its tables"):
        read_table(tmp_path / "table.csv", features=None, target="y")


@pytest.mark.parametrize("name", ["ORC", "BZh1", "FEA1", "PARE", "Obj", "X", "{x}", "[x]", "PK", "7z", "version"])
def test_a_column_may_be_called_like_the_beginning_of_another_kind(tmp_path, name):
    path = tmp_path / "table.csv"
    path.write_bytes(f"{name},y\n1,2\n2,3\n".encode())
    assert read_table(path, features=None, target="y").feature_names == (name,)
