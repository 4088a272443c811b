"""Say which option reads a cell that is not a number, or how to write it."""

import re

from linreg.reading.options import ReadOptions

_SIGN = r"[+-]?"
_SEVERAL = {  # two groups or more, or a decimal mark after them, are unambiguous
    ",": rf"{_SIGN}[0-9]{{1,3}}(?:(?:,[0-9]{{3}})+\.[0-9]+|(?:,[0-9]{{3}}){{2,}})",
    ".": rf"{_SIGN}[0-9]{{1,3}}(?:(?:\.[0-9]{{3}})+,[0-9]+|(?:\.[0-9]{{3}}){{2,}})",
}
_SPACES = " \u00a0\u2007\u2009\u202f"
_OTHER_GROUPS = rf"{_SIGN}[0-9]{{1,3}}(?P<mark>['’_{_SPACES}])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*(?P<rest>[.,][0-9]+)?"
_ONE_GROUP = rf"{_SIGN}[1-9][0-9]{{0,2}},[0-9]{{3}}"
_COMMA = rf"{_SIGN}[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?"


LONGEST_WORD = 20
"""Characters of a word that may stand for a missing value."""


def hint(value: str, *, written_otherwise: bool, alone: bool, how: ReadOptions) -> str:
    """Return what can be done about a cell, after a semicolon; an empty string if nothing is known.

    Args:
        value: the cell.
        written_otherwise: whether it is a number that people can read.
        alone: whether all other cells are numbers, have no value, or are the same as this one.
        how: how cells are written, as far as was given.
    """
    text = value.strip()
    if how.decimal == "." and how.thousands is None and (option := _option(text)):
        return f"; {option}"
    if text.endswith("%") and written_otherwise:
        return "; remove the percent signs: write 12.5 for 12.5 %"
    if written_otherwise:
        mark = "a decimal point" if how.decimal == "." else "a decimal comma"
        return f"; use digits and {mark} only: 1000 for a thousand, 12{how.decimal}5 for 12.5 % or $12.5"
    is_word = alone and len(text) <= LONGEST_WORD and not any(sign.isdigit() for sign in text)
    if text and text.isprintable() and (is_word or not any(sign.isalnum() for sign in text)):
        return f"; if it stands for a missing value, add --missing {_quoted(text)}"
    return ""


def _option(text: str) -> str:
    """Return the option that makes a number of a cell; an empty string if there is none."""
    for mark, pattern in _SEVERAL.items():
        if re.fullmatch(pattern, text):
            return f"add --thousands {mark}"
    if (found := re.fullmatch(_OTHER_GROUPS, text)) is not None:
        comma = " --decimal ," if (found["rest"] or "").startswith(",") else ""
        return f"add --thousands {_quoted(' ' if found['mark'].isspace() else found['mark'])}{comma}"
    if re.fullmatch(_ONE_GROUP, text):
        return "add --thousands , if it is a thousand or more, or --decimal , if it has a decimal comma"
    if re.fullmatch(_COMMA, text):
        return "add --decimal ,"
    return ""


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"
