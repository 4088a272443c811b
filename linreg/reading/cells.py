"""Parse the cells of a column as numbers, or say why that is not possible."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from linreg.reading.cell_hints import hint
from linreg.reading.column_names import short
from linreg.reading.options import AS_USUAL, ReadOptions

NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
TRUE = ("true", "True", "TRUE")
FALSE = ("false", "False", "FALSE")
AS_FEATURE = "; name it in --features to use it as 0 and 1"
INFINITE = r"^[+-]?(?i:inf|infinity)$"
MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None")

_SPACE = r"[ \x{00a0}\x{2007}\x{2009}\x{202f}]"
_MONEY = r"(?:\p{Sc}|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL|R\$|Rs\.?|kr\.?|zł)"
_GROUPS = rf"[0-9]{{1,3}}(?:(?:,[0-9]{{2,3}})*,[0-9]{{3}}|(?:['’_]|{_SPACE})[0-9]{{3}})+(?:[.,][0-9]+)?"
_DOTS = r"[0-9]{1,3}(?:(?:\.[0-9]{3})+,[0-9]+|(?:\.[0-9]{3}){2}|(?:\.[0-9]{3}){4,})"  # three dots: an IP address
_DIGITS = rf"(?:{_GROUPS}|{_DOTS}|(?:\p{{Nd}}+(?:[.,٫]\p{{Nd}}*)?|[.,]\p{{Nd}}+)(?:[eE][+\-−]?[0-9]+)?)"
WRITTEN_OTHERWISE = (
    rf"^['(]?[~≈<>≤≥=]*{_SPACE}?[+\-−–]?{_SPACE}?(?:{_MONEY}{_SPACE}?)?[+\-−–]?{_DIGITS}"
    rf"(?:{_SPACE}?(?:[%‰+*\-−]|°[CF]?|{_MONEY}))?\)?$"
)
"""Numbers that people can read but float() cannot: 1,000; 1.000,5; 1 000; 12 %; $5; −5; (5); <5."""


_MISSING, _NUMBER, _INFINITE, _OTHERWISE, _TEXT = range(5)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a column, parsed.

    Attributes:
        values: float64, shape (rows,), NaN for a missing value; None if any cell is not a number.
        problem: what is wrong with the column, or an empty string.
        numeric: whether the column is meant to hold numbers, even if some of them cannot be parsed.
        number: the first cell of a column of text that is a number or nearly one, as in `row 3 is '1'`; else empty.
    """

    values: NDArray[np.float64] | None
    problem: str
    numeric: bool
    number: str = ""


def may_hold_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold numbers; nested, binary, boolean and temporal ones cannot."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return numeric or is_text(kind) or pa.types.is_null(kind)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def leading_zero(column: pa.ChunkedArray) -> str | None:
    """Return a cell of a column of text that begins with 0 and another digit, as ids do; None if there is none."""
    text = pc.utf8_trim_whitespace(pc.unique(column.cast(pa.large_string())))
    found = text.filter(_matches(text, "^[+-]?0[0-9]"))
    return found[0].as_py() if len(found) else None


def read_cells(
    column: pa.ChunkedArray | NDArray[np.float64],
    *,
    how: ReadOptions = AS_USUAL,
    first_row: int = 0,
) -> Cells:
    """Parse a column as numbers, or say what is wrong with it.

    A text column with at least one number counts as numeric, so that a typo in another cell is reported as an error
    instead of silently dropping the column.

    Args:
        column: its cells, or numbers, which are returned as they are.
        how: how the cells are written.
        first_row: place of the first cell in its file, counted from 0, for the message.
    """
    if isinstance(column, np.ndarray):
        nothing = _all_missing(column)
        return Cells(values=column, problem="has no values" if nothing else "", numeric=not nothing)
    kind = column.type
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not may_hold_numbers(kind):
        return Cells(values=None, problem=f"is {kind}, not numbers", numeric=False)
    if pa.types.is_null(kind):
        values = np.full(len(column), np.nan)
    elif pa.types.is_dictionary(kind) or is_text(kind):
        values, kinds = _numbers_of_text(column, how)
        if (kinds >= _OTHERWISE).any():
            return _not_numbers(column, kinds, how, first_row)
    else:
        if pa.types.is_decimal(kind):
            column = column.cast(pa.large_string())  # gives the nearest float64; a direct cast rounds twice
        values = with_gaps(_float64(column), how)
    nothing = _all_missing(values)
    return Cells(values=values, problem="has no values" if nothing else "", numeric=not nothing)


def is_boolean(column: pa.ChunkedArray, how: ReadOptions = AS_USUAL) -> bool:
    """Return whether a column of text holds nothing but true and false, and cells without a value."""
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    known = pc.is_in(text, pa.array((*TRUE, *FALSE, *MISSING, *how.missing, None), text.type))
    return bool(pc.all(known).as_py()) and bool(pc.any(pc.is_in(text, pa.array((*TRUE, *FALSE), text.type))).as_py())


def read_booleans(column: pa.ChunkedArray, *, how: ReadOptions = AS_USUAL, first_row: int = 0) -> Cells:
    """Read a column of booleans, or of text that says true or false, as 1 and 0; arguments as of `read_cells`."""
    if pa.types.is_boolean(column.type):
        return Cells(values=_float64(column.cast(pa.uint8())), problem="", numeric=True)
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    values = np.full(len(text), np.nan)
    known = pc.is_in(text, pa.array((*MISSING, *how.missing, None), text.type)).to_numpy()
    for number, words in enumerate((FALSE, TRUE)):
        found = pc.is_in(text, pa.array(words, text.type)).to_numpy()
        values[found] = number
        known = known | found
    if not known.all():
        row = int((~known).argmax())
        problem = (
            f"row {first_row + row + 1} is {short(str(column[row].as_py()))}, not true or false as the rows before"
        )
        return Cells(values=None, problem=problem, numeric=True)
    return Cells(values=values, problem="", numeric=True)


def may_be_numeric(column: pa.ChunkedArray) -> bool:
    """Return whether a cell may be read as a number; False if none has a digit, or is infinite. It is quick to ask."""
    if not is_text(column.type):
        return True
    return bool(pc.any(pc.match_substring_regex(column.cast(pa.large_string()), r"\p{Nd}|(?i:inf)")).as_py())


def plain_numbers(column: pa.ChunkedArray, how: ReadOptions) -> bool:
    """Return whether each cell of a column of text is a number without thousands separators, or has no value."""
    text = pc.utf8_trim_whitespace(column)
    number = _matches(text, NUMBER.replace(r"\.", re.escape(how.decimal)))
    missing = pc.is_in(text, pa.array((*MISSING, *how.missing, None), text.type))
    return bool(pc.all(pc.or_(number, missing)).as_py() is not False)


def _all_missing(values: NDArray[np.float64]) -> bool:
    return bool(np.isnan(values[:1]).any() and np.isnan(values).all())


def with_gaps(values: NDArray[np.float64], how: ReadOptions) -> NDArray[np.float64]:
    """Return numbers with NaN for those that stand for a missing value."""
    numbers = how.missing_numbers
    return np.where(np.isin(values, numbers), np.nan, values) if numbers else values


def _float64(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values.astype(np.float64, copy=False)


def _numbers_of_text(column: pa.ChunkedArray, how: ReadOptions) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the numbers (NaN for missing values) and the kind of each cell.

    In a dictionary-encoded column, each entry of the dictionary is parsed only once.
    """
    parts = [(np.empty(0), np.empty(0, np.uint8))]
    for chunk in column.chunks:
        if not pa.types.is_dictionary(chunk.type):
            parts.append(_read_text(chunk, how))
            continue
        values, kinds = _read_text(chunk.dictionary, how)
        # One more entry represents null cells.
        values, kinds = np.append(values, np.nan), np.append(kinds, np.uint8(_MISSING))
        places = chunk.indices.cast(pa.int64()).fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
        parts.append((values[places], kinds[places]))
    return np.concatenate([values for values, _ in parts]), np.concatenate([kinds for _, kinds in parts])


def _read_text(array: pa.Array, how: ReadOptions) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    as_written = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
    kinds = np.full(len(as_written), _TEXT, np.uint8)
    text = _with_points(as_written, how)
    number, infinite = _matches(text, NUMBER), _matches(text, INFINITE)
    missing = pc.is_in(as_written, pa.array((*MISSING, *how.missing, None), as_written.type))
    kinds[number.to_numpy(zero_copy_only=False)] = _NUMBER
    kinds[infinite.to_numpy(zero_copy_only=False)] = _INFINITE
    kinds[missing.to_numpy(zero_copy_only=False)] = _MISSING
    good = pc.and_(pc.or_(number, infinite), pc.invert(missing))
    plain = pc.if_else(good, pc.utf8_ltrim(text, characters="+"), pa.scalar(None, text.type))
    values = with_gaps(plain.cast(pa.float64()).to_numpy(zero_copy_only=False), how)
    if (kinds == _TEXT).any():
        otherwise = _matches(as_written, WRITTEN_OTHERWISE)
        kinds[(kinds == _TEXT) & otherwise.to_numpy(zero_copy_only=False)] = _OTHERWISE
    return values, kinds


def _matches(text: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(text, pattern), False)


def _with_points(text: pa.Array, how: ReadOptions) -> pa.Array:
    """Return text whose numbers have a decimal point and no thousands separators, as `how` says they are written."""
    mark = re.escape(how.decimal)
    if how.thousands == " ":
        text = pc.replace_substring_regex(text, _SPACE, " ")
    if how.thousands is not None:
        groups = rf"^[+-]?[1-9][0-9]{{0,2}}(?:{re.escape(how.thousands)}[0-9]{{3}})+(?:{mark}[0-9]*)?$"
        text = pc.if_else(_matches(text, groups), pc.replace_substring(text, how.thousands, ""), text)
    if how.decimal == ".":
        return text
    decimal = _matches(text, NUMBER.replace(r"\.", mark))
    other = _matches(text, NUMBER)  # a point is no decimal mark here: 1.5 becomes 1·5, which is no number
    return pc.if_else(
        decimal,
        pc.replace_substring(text, how.decimal, "."),
        pc.if_else(other, pc.replace_substring(text, ".", "·"), text),
    )


def _not_numbers(column: pa.ChunkedArray, kinds: NDArray[np.uint8], how: ReadOptions, first_row: int) -> Cells:
    """Report the first cell that is not a number.

    If it is text and at least half of the cells that have a value are not numbers, also report the first cell that is a
    number or nearly one.
    """
    bad = kinds >= _OTHERWISE
    row = int(bad.argmax())
    value = column[row].as_py()
    problem = f"row {first_row + row + 1} is {short(value)}, not a number"
    number = ""
    numeric = (kinds == _NUMBER) | (kinds == _OTHERWISE)
    if numeric.any():
        other = int(numeric.argmax())
        number = f"row {first_row + other + 1} is {short(str(column[other].as_py()))}"
        if kinds[row] == _TEXT and 2 * bad.sum() >= (kinds != _MISSING).sum():
            problem += f", but {number}"
    is_boolean = value.strip() in (*TRUE, *FALSE)
    if is_boolean and not numeric.any():
        problem += AS_FEATURE
    elif is_boolean and set(_words(column.filter(pa.array(numeric))).to_pylist()) <= {"0", "1"}:
        problem += "; write true and false in every row, or 1 and 0"
    alone = bool(numeric.any()) and not is_boolean and len(_words(column.filter(pa.array(bad)))) == 1
    problem += hint(value, written_otherwise=bool(kinds[row] == _OTHERWISE), alone=alone, how=how)
    return Cells(values=None, problem=problem, numeric=bool(numeric.any()), number=number)


def _words(cells: pa.ChunkedArray) -> pa.Array:
    return pc.unique(pc.utf8_trim_whitespace(cells.cast(pa.large_string())))
