"""The contents of the file formats that a table can be written in, as functions that write to a stream."""

import gzip
import itertools
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet

from linreg.errors import DataError
from linreg.files import Contents
from linreg.reading.column_names import short
from linreg.writing.csv_text import csv_chunks

GZIP_LEVEL = 6


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
    """Return a function that writes Parquet with one row group per batch.

    Dictionary encoding is off, since columns of floating-point numbers seldom repeat a value, and looking for repeated
    ones takes three times as long as writing them.
    """

    def write(stream: BinaryIO) -> None:
        rest = iter(batches)
        first = next(rest)
        with pyarrow.parquet.ParquetWriter(stream, first.schema, use_dictionary=False) as writer:
            for batch in itertools.chain([first], rest):
                writer.write_batch(batch)

    return write
