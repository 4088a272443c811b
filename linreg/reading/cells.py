"""Parse the cells of a column as numbers, or say why that is not possible."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from linreg.reading.column_names import short

NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
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
COMMAS = r"\s*[+-]?[0-9]+(,[0-9]+)+(\.[0-9]+)?\s*"

_MISSING, _NUMBER, _INFINITE, _OTHERWISE, _TEXT = range(5)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a column, parsed.

    Attributes:
        values: float64, shape (rows,), NaN for a missing value; None if any cell is not a number.
        problem: what is wrong with the column, or an empty string.
        numeric: whether the column is meant to hold numbers, even if some of them cannot be parsed.
    """

    values: NDArray[np.float64] | None
    problem: str
    numeric: bool


def may_hold_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold numbers; nested, binary, boolean and temporal ones cannot."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return numeric or is_text(kind) or pa.types.is_null(kind)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def read_cells(column: pa.ChunkedArray) -> Cells:
    """Parse a column as numbers, or say what is wrong with it.

    A text column with at least one number counts as numeric, so that a typo in another cell is reported as an error
    instead of silently dropping the column.
    """
    kind = column.type
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not may_hold_numbers(kind):
        return Cells(values=None, problem=f"is {kind}, not numbers", numeric=False)
    if pa.types.is_null(kind):
        values = np.full(len(column), np.nan)
    elif pa.types.is_dictionary(kind) or is_text(kind):
        values, kinds = _numbers_of_text(column)
        if (kinds >= _OTHERWISE).any():
            return _not_numbers(column, kinds)
    else:
        if pa.types.is_decimal(kind):
            column = column.cast(pa.large_string())  # gives the nearest float64; a direct cast rounds twice
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    nothing = bool(len(values)) and bool(np.isnan(values).all())
    return Cells(values=values, problem="has no values" if nothing else "", numeric=not nothing)


def _numbers_of_text(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the numbers (NaN for missing values) and the kind of each cell.

    In a dictionary-encoded column, each entry of the dictionary is parsed only once.
    """
    parts = [(np.empty(0), np.empty(0, np.uint8))]
    for chunk in column.chunks:
        if not pa.types.is_dictionary(chunk.type):
            parts.append(_read_text(chunk))
            continue
        values, kinds = _read_text(chunk.dictionary)
        # One more entry represents null cells.
        values, kinds = np.append(values, np.nan), np.append(kinds, np.uint8(_MISSING))
        places = chunk.indices.cast(pa.int64()).fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
        parts.append((values[places], kinds[places]))
    return np.concatenate([values for values, _ in parts]), np.concatenate([kinds for _, kinds in parts])


def _read_text(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    text = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
    kinds = np.full(len(text), _TEXT, np.uint8)
    number = pc.fill_null(pc.match_substring_regex(text, NUMBER), False)
    infinite = pc.fill_null(pc.match_substring_regex(text, INFINITE), False)
    kinds[number.to_numpy(zero_copy_only=False)] = _NUMBER
    kinds[infinite.to_numpy(zero_copy_only=False)] = _INFINITE
    kinds[pc.is_in(text, pa.array((*MISSING, None), text.type)).to_numpy(zero_copy_only=False)] = _MISSING
    good = pc.if_else(pc.or_(number, infinite), pc.utf8_ltrim(text, characters="+"), pa.scalar(None, text.type))
    values = good.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if (kinds == _TEXT).any():
        otherwise = pc.fill_null(pc.match_substring_regex(text, WRITTEN_OTHERWISE), False)
        kinds[(kinds == _TEXT) & otherwise.to_numpy(zero_copy_only=False)] = _OTHERWISE
    return values, kinds


def _not_numbers(column: pa.ChunkedArray, kinds: NDArray[np.uint8]) -> Cells:
    """Report the first cell that is not a number.

    If it is text and at least half of the cells that have a value are not numbers, also report the first cell that is a
    number or nearly one.
    """
    bad = kinds >= _OTHERWISE
    row = int(bad.argmax())
    value = column[row].as_py()
    problem = f"row {row + 1} is {short(value)}, not a number"
    numeric = (kinds == _NUMBER) | (kinds == _OTHERWISE)
    if numeric.any() and kinds[row] == _TEXT and 2 * bad.sum() >= (kinds != _MISSING).sum():
        other = int(numeric.argmax())
        problem += f", but row {other + 1} is {short(str(column[other].as_py()))}"
    return Cells(values=None, problem=problem + _hint(value, kinds[row]), numeric=bool(numeric.any()))


def _hint(value: str, kind: int) -> str:
    if re.fullmatch(COMMAS, value):
        return "; write 1.5 for one and a half, and 1000 for a thousand"
    if kind == _OTHERWISE:
        return "; use digits and a decimal point only: 1000 for a thousand, 12.5 for 12.5 % or $12.5"
    if value.strip() and not any(sign.isalnum() for sign in value):
        return "; leave cells without a value empty"
    return ""
