"""Cut a CSV into chunks that end where a record ends, so that each can be parsed by itself."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from linreg.errors import DataError, one_line

CHUNK_BYTES = 2**22
MAX_LINE_LENGTH = 2**24
"""Limit on the length of a record, so that an unclosed quote does not take the rest of the file into memory."""

_QUOTE, _LINE_FEED, _RETURN = 34, 10, 13


def chunks(stream: Any, name: str, delimiter: str, rest: bytes = b"") -> Iterator[bytes]:
    """Yield the bytes of a CSV in pieces of about `CHUNK_BYTES`, each of whole records.

    Args:
        stream: anything with `read(size)`.
        name: what messages call the file.
        delimiter: the sign between two cells.
        rest: bytes that were read from the stream before.

    Raises:
        DataError: a quote is not closed, or a record is too long. The row in the message counts from the chunk's
            start, as `QuoteError.row`.
    """
    while True:
        data = stream.read(CHUNK_BYTES)
        buffer = rest + data if rest else data
        end = _cut(buffer, name, delimiter, last=not data)
        if len(buffer) > MAX_LINE_LENGTH:
            _check_length(buffer, end, name)
        if end:
            yield buffer[:end]
        if not data:
            return
        rest = buffer[end:]


def _check_length(buffer: bytes, end: int, name: str) -> None:
    """Check the length of the first record of a buffer, whose last whole record ends at `end`."""
    if end == 0 and b'"' in buffer:
        raise QuoteError(name, 0, f"a quote is not closed within {MAX_LINE_LENGTH} bytes")
    ends = [place for sign in (b"\n", b"\r") if (place := buffer.find(sign)) >= 0]
    if end == 0 or min(ends, default=end) > MAX_LINE_LENGTH:
        raise DataError(f"{name}: has a line of more than {MAX_LINE_LENGTH} characters")


def has_record(head: bytes, delimiter: str) -> bool:
    """Return whether the first bytes of a CSV have a whole record, or one whose quotes cannot be understood."""
    try:
        return _cut(head.lstrip(b"\r\n"), "", delimiter, last=False) > 0
    except QuoteError:
        return True


class QuoteError(DataError):
    """A record whose quotes cannot be understood.

    Attributes:
        row: its place in the chunk, counted from 0.
    """

    def __init__(self, name: str, row: int, problem: str) -> None:
        super().__init__(f"{name}: row {row + 1} cannot be read: {problem}; check its quotes")
        self.name = name
        self.row = row
        self.problem = problem


def _cut(buffer: bytes, name: str, delimiter: str, *, last: bool) -> int:
    """Return where the last whole record of `buffer` ends."""
    if b'"' not in buffer:
        return len(buffer) if last else _line_end(buffer, len(buffer))
    signs = np.frombuffer(buffer, np.uint8)
    quotes = np.flatnonzero(signs == _QUOTE)
    end = len(buffer) if last else _line_end(buffer, len(buffer))
    if (inside := int(np.searchsorted(quotes, end))) % 2 and not last:
        end = _line_end(buffer, int(quotes[inside - 1]))
        inside -= 1
    if inside % 2 == 0 and _well_placed(signs, quotes[:inside], end, ord(delimiter)):
        return end
    return _careful_cut(buffer, name, delimiter, last=last)


def _line_end(buffer: bytes, limit: int) -> int:
    return (buffer.rfind(b"\n", 0, limit) if b"\n" in buffer else buffer.rfind(b"\r", 0, limit)) + 1


def _well_placed(signs: Any, quotes: Any, end: int, delimiter: int) -> bool:
    """Return whether every odd quote opens a cell and every even one closes it, or is half of a doubled one."""
    beside = np.array([delimiter, _LINE_FEED, _RETURN, _QUOTE], np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    before = signs[opening[opening > 0] - 1]
    after = signs[closing[closing < end - 1] + 1]
    return bool(np.isin(before, beside).all() and np.isin(after, beside).all())


def _careful_cut(buffer: bytes, name: str, delimiter: str, *, last: bool) -> int:
    """Return where the last whole record ends, as Python's csv module reads them."""
    end = at = row = 0

    def lines() -> Iterator[str]:
        nonlocal at
        stream = io.TextIOWrapper(io.BytesIO(buffer), encoding="utf-8", errors="surrogateescape", newline="")
        for line in stream:
            at += len(line.encode(errors="surrogateescape"))
            yield line

    try:
        for record in csv.reader(lines(), strict=True, delimiter=delimiter):
            row += bool(record)
            if last or buffer[at - 1] in (_LINE_FEED, _RETURN):
                end = at
    except csv.Error as error:
        if at < len(buffer) or last:
            limit = csv.field_size_limit()
            problem = f"a quote is not closed within {limit} bytes" if "field limit" in str(error) else one_line(error)
            raise QuoteError(name, row, problem) from None
    return end
