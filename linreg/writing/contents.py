"""The contents of the file formats that a table can be written in, as functions that write to a stream."""

import gzip
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet

from linreg.errors import DataError
from linreg.files import Contents
from linreg.reading.column_names import short
from linreg.writing.csv_text import csv_chunks
from linreg.writing.part_list import WRITTEN_BY

GZIP_LEVEL = 6
MARK = {"written_by": WRITTEN_BY}
"""What a Parquet file says of itself, so that a part whose list was lost can be replaced."""


def csv_contents(batches: Iterable[pa.RecordBatch]) -> Contents:
    """Return a function that writes a CSV; `batches` holds at least one batch, which may be empty."""

    def write(stream: BinaryIO) -> None:
        for chunk in csv_chunks(batches):
            stream.write(chunk)

    return write


def gzip_contents(batches: Iterable[pa.RecordBatch]) -> Contents:
    """Return a function that writes a CSV compressed with gzip; the same rows give the same bytes."""

    def write(stream: BinaryIO) -> None:
        # Without a name and a time, which gzip would record.
        with gzip.GzipFile("", "wb", GZIP_LEVEL, stream, mtime=0) as packed:
            for chunk in csv_chunks(batches):
                packed.write(chunk)

    return write


def check_parquet(origin: str, schema: pa.Schema) -> None:
    """Check that the columns can be found by name in a Parquet file.

    Args:
        origin: what the message calls the table.
        schema: its columns.

    Raises:
        DataError: two columns have the same name.
    """
    for name, count in Counter(schema.names).items():
        if count > 1:
            raise DataError(
                f"{origin}: two columns are called {short(name)}; rename one, choose others with --columns, "
                "or write CSV"
            )


def parquet_contents(batches: Iterable[pa.RecordBatch]) -> Contents:
    """Return a function that writes Parquet with one row group per batch, and that linreg predict wrote it.

    Dictionary encoding is off, since columns of floating-point numbers seldom repeat a value, and looking for repeated
    ones takes three times as long as writing them.
    """

    def write(stream: BinaryIO) -> None:
        rest = iter(batches)
        first = next(rest)
        with pyarrow.parquet.ParquetWriter(stream, first.schema, use_dictionary=False) as writer:
            for batch in itertools.chain([first], rest):
                writer.write_batch(batch)
            writer.add_key_value_metadata(MARK)

    return write


def is_marked(path: Path) -> bool:
    """Return whether a file is Parquet that linreg predict wrote, by its own account; a link is not."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        found = pyarrow.parquet.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return all(found.get(key.encode()) == value.encode() for key, value in MARK.items())
