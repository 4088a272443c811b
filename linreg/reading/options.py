"""How the cells of a table are written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from linreg.errors import DataError

DECIMALS = (".", ",")
NONE = "none"
"""Value of --thousands for a table that has no such mark, although the training table has one."""
UNUSABLE = '\r\n"0123456789+-'


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How the cells of a table are written; the defaults fit a CSV with commas and decimal points.

    Attributes:
        decimal: the decimal mark, a point or a comma.
        thousands: the mark between groups of three digits; None if there is none. A space stands for every kind of
            space.
        delimiter: the sign between two cells of a CSV; None means a comma.
        missing: words that stand for a missing value, besides an empty cell, NA, NaN, NULL and their kin. A word that
            is a number stands for every number of that value.
        given: names of those that the user gave for this very table, so that one which does not apply is refused.
    """

    decimal: str = "."
    thousands: str | None = None
    delimiter: str | None = None
    missing: tuple[str, ...] = ()
    given: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        if self.decimal not in DECIMALS:
            raise DataError(f"--decimal: got {self.decimal!r}, expected a point or a comma")
        for name in ("thousands", "delimiter"):
            sign = getattr(self, name)
            unusable = UNUSABLE.replace("'", "" if name == "thousands" else "'")
            if sign is not None and (not isinstance(sign, str) or len(sign) != 1 or sign in unusable):
                raise DataError(f"--{name}: got {sign!r}, expected one sign, such as {EXAMPLES[name]}")
        if self.delimiter is not None and not self.delimiter.isascii():
            raise DataError(f"--delimiter: got {self.delimiter!r}, expected an ASCII sign, such as ';' or a tab")
        if self.thousands == self.decimal:
            raise DataError(
                f"--thousands: {self.thousands!r} is the decimal mark as well; "
                "give another --decimal, or --thousands none"
            )
        if self.delimiter == "." or (self.delimiter is not None and self.delimiter == self.decimal):
            raise DataError(f"--delimiter: {self.delimiter!r} is part of numbers; expected another sign")
        if not all(word.strip() for word in self.missing):
            raise DataError("--missing: got an empty word, expected one such as '?'; an empty cell is always missing")

    @property
    def separator(self) -> str:
        """The sign between two cells."""
        return self.delimiter or ","

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that stand for a missing value."""
        numbers = []
        for word in self.missing:
            if "_" in word:  # float() reads 1_000
                continue
            text = word.replace(self.thousands, "") if self.thousands else word
            try:
                numbers.append(float(text.replace(self.decimal, ".")))
            except ValueError:
                continue
        return tuple(numbers)

    @property
    def record(self) -> dict[str, Any]:
        """The options that differ from the defaults, for a card."""
        usual = asdict(AS_USUAL)
        record = {name: value for name, value in asdict(self).items() if value != usual[name] and name != "given"}
        return {**record, "missing": list(self.missing)} if self.missing else record


EXAMPLES = {"thousands": "',' or a space", "delimiter": "';' or a tab"}
AS_USUAL = ReadOptions()


def with_options(
    before: ReadOptions,
    *,
    decimal: str | None = None,
    thousands: str | None = None,
    delimiter: str | None = None,
    missing: tuple[str, ...] | None = None,
) -> ReadOptions:
    r"""Return options with those that are given, where None leaves an option as it was.

    A point between thousands implies a decimal comma; "none" stands for no mark between
    them. The two signs `\t` stand for a tab.

    Raises:
        DataError: the options contradict each other, or one has a bad value.
    """
    options: dict[str, Any] = {"decimal": decimal, "thousands": thousands, "delimiter": delimiter, "missing": missing}
    given = frozenset(name for name, value in options.items() if value is not None)
    if thousands == "." and decimal is None:
        options["decimal"] = ","
    if delimiter == r"\t":
        options["delimiter"] = "\t"
    chosen = {name: value for name, value in options.items() if value is not None}
    if thousands == NONE:
        chosen["thousands"] = None
    return replace(before, **chosen, given=given)


def from_record(record: Mapping[str, Any]) -> ReadOptions:
    """Return the options whose `record` this is.

    Raises:
        DataError: it is no such record.
    """
    try:
        missing = record.get("missing", [])
        if "given" in record:
            raise TypeError("'given' is not one of them")
        if not isinstance(missing, list) or not all(isinstance(word, str) for word in missing):
            raise TypeError("'missing' is not a list of words")
        return ReadOptions(**{**record, "missing": tuple(missing)})
    except (TypeError, AttributeError) as error:
        raise DataError(f"options of reading: {error}") from None
