"""Write record batches as CSV text.

pyarrow quotes either every cell of a text column or none. Here a cell is quoted only if it must be, so that cells that
were read from a CSV are written as they were: pyarrow writes rows without quotes, and refuses cells that need them.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from linreg.errors import DataError
from linreg.reading.column_names import short

CELLS = 2**20
"""Cells that are turned into text at a time, so that wide tables need little memory."""

FORMULA_SIGNS = tuple("=+-@\t\r")
"""A spreadsheet would evaluate a header that begins with one of these characters as a formula."""

TEXT = pa.large_string()
BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
PLAIN = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none", batch_size=8192)


def csv_chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield the header and then the rows of a CSV; each chunk ends with a line.

    Missing values are empty cells. In a table of one column they are `""`, since readers skip empty lines.

    Args:
        batches: at least one batch, which may be empty; all have the same columns.
    """
    for place, batch in enumerate(batches):
        if place == 0:
            yield header_bytes(batch.schema.names)
        step = max(1, CELLS // batch.num_columns)
        for start in range(0, batch.num_rows, step):
            yield _lines(batch.slice(start, step))


def check_csv(origin: str, schema: pa.Schema) -> None:
    """Check that the cells of every column can be written as text.

    Args:
        origin: what the message calls the table.
        schema: its columns.

    Raises:
        DataError: a column holds lists, structs or bytes.
    """
    for column in schema:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_nested(kind) or any(is_kind(kind) for is_kind in BYTES):
            raise DataError(
                f"{origin}: column {short(column.name)} is {column.type}, which a CSV cannot hold; "
                "write Parquet, or choose other columns with --columns"
            )


def header_bytes(names: Sequence[str]) -> bytes:
    """Return the first line of a CSV; every name is quoted, and one that looks like a formula gets an apostrophe."""
    safe = [f"'{name}" if name.startswith(FORMULA_SIGNS) else name for name in names]
    return (",".join('"' + name.replace('"', '""') + '"' for name in safe) + "\n").encode()


def _lines(batch: pa.RecordBatch) -> bytes:
    if batch.num_columns > 1:
        stream = io.BytesIO()
        with suppress(pa.ArrowInvalid):  # a cell must be quoted
            pyarrow.csv.write_csv(batch, stream, PLAIN)
            return stream.getvalue()
    return _joined([_quoted(column) for column in batch.columns])


def _quoted(column: pa.Array) -> pa.Array:
    """Return cells as text, and quote those that hold a comma, a quote or a line end."""
    text = column.cast(pa.string()).cast(TEXT)
    quoted = _together('"', pc.replace_substring(text, '"', '""'), '"')
    return pc.if_else(pc.match_substring_regex(text, '[",\r\n]'), quoted, text)


def _joined(cells: Sequence[pa.Array]) -> bytes:
    """Join the cells of each row with commas, and the rows with line ends."""
    cells = [pc.fill_null(column, "") for column in cells]
    if len(cells) == 1:
        cells = [pc.if_else(pc.equal(cells[0], ""), pa.scalar('""', TEXT), cells[0])]
    lines = _together(pc.binary_join_element_wise(*cells, pa.scalar(",", TEXT)), "\n")
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, np.int64)[lines.offset :]
    return bytes(memoryview(data)[ends[0] : ends[len(lines)]])


def _together(*pieces: pa.Array | str) -> pa.Array:
    """Join texts, or texts and arrays of them, row by row."""
    typed = [pa.scalar(piece, TEXT) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*typed, pa.scalar("", TEXT))
