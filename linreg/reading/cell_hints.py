"""Say which option reads a cell that is not a number, or how to write it."""

import re

from linreg.reading.options import NONE, ReadOptions

_SIGN = r"[+-]?"
_SEVERAL = {  # two groups or more, or a decimal mark after them, are unambiguous
    ",": rf"{_SIGN}[0-9]{{1,3}}(?:(?:,[0-9]{{3}})+\.[0-9]+|(?:,[0-9]{{3}}){{2,}})",
    ".": rf"{_SIGN}[0-9]{{1,3}}(?:(?:\.[0-9]{{3}})+,[0-9]+|(?:\.[0-9]{{3}}){{2,}})",
}
_SPACES = " \u00a0\u2007\u2009\u202f"
_OTHER_GROUPS = rf"{_SIGN}[0-9]{{1,3}}(?P<mark>['’_{_SPACES}])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*(?P<rest>[.,][0-9]+)?"
_ONE_GROUP = rf"{_SIGN}[1-9][0-9]{{0,2}}(?P<mark>[.,])[0-9]{{3}}"
_DECIMAL = rf"{_SIGN}[0-9]*(?P<mark>[.,])[0-9]+(?:[eE][+-]?[0-9]+)?"
_OTHER = {",": ".", ".": ","}
_NAMES = {",": "comma", ".": "point"}


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
    if option := _option(text, how):
        return f"{_as_in_training(how)}; {option}"
    if text.endswith("%") and written_otherwise:
        return "; remove the percent signs: write 12.5 for 12.5 %"
    if written_otherwise:
        mark = "a decimal point" if how.decimal == "." else "a decimal comma"
        examples = f"1000 for a thousand, 12{how.decimal}5 for 12.5 % or $12.5"
        return f"{_as_in_training(how)}; use digits and {mark} only: {examples}"
    is_word = alone and len(text) <= LONGEST_WORD and not any(sign.isdigit() for sign in text)
    if text and text.isprintable() and (is_word or not any(sign.isalnum() for sign in text)):
        return f"; if it stands for a missing value, add --missing {_quoted(text)}"
    return ""


def _option(text: str, how: ReadOptions) -> str:
    """Return the options that make a number of a cell; an empty string if there are none."""
    for mark, pattern in _SEVERAL.items():
        if re.fullmatch(pattern, text):
            return _verb(how, _options(how, mark, _OTHER[mark]))
    if (found := re.fullmatch(_OTHER_GROUPS, text)) is not None:
        thousands = " " if found["mark"].isspace() else found["mark"]
        return _verb(how, _options(how, thousands, (found["rest"] or how.decimal)[0]))
    if (found := re.fullmatch(_ONE_GROUP, text)) is not None:
        mark = found["mark"]
        group, decimal = _options(how, mark, _OTHER[mark]), _options(how, how.thousands, mark)
        return _verb(how, f"{group} if it is a thousand or more, or {decimal} if it has a decimal {_NAMES[mark]}")
    if (found := re.fullmatch(_DECIMAL, text)) is not None:
        return _verb(how, _options(how, how.thousands, found["mark"]))
    return ""


def _options(how: ReadOptions, thousands: str | None, decimal: str) -> str:
    """Return the options that change how cells are written to these two marks."""
    changed = []
    if thousands == decimal:
        thousands = None
    if thousands != how.thousands:
        changed.append(f"--thousands {NONE if thousands is None else _quoted(thousands)}")
    implied = thousands == "." and "decimal" not in how.given
    if decimal != how.decimal and not implied:
        changed.append(f"--decimal {_quoted(decimal)}")
    return " ".join(changed)


def _verb(how: ReadOptions, options: str) -> str:
    replaced = (how.thousands and "--thousands" in options) or (how.decimal != "." and "--decimal" in options)
    return f"{'use' if replaced else 'add'} {options}" if options else ""


def _as_in_training(how: ReadOptions) -> str:
    """Return, after a semicolon, how the training table was written, if other tables are read alike."""
    known = {"--decimal": how.decimal if how.decimal != "." else None, "--thousands": how.thousands}
    marks = [f"{option} {_quoted(mark)}" for option, mark in known.items() if mark]
    if not marks or how.given & {"decimal", "thousands"}:
        return ""
    return f"; cells are read as in the training table, with {' '.join(marks)}"


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"
