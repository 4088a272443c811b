"""How the cells of a CSV are written."""

from dataclasses import dataclass

from linreg.errors import DataError

DECIMALS = (".", ",")
UNUSABLE = '\r\n"0123456789+-'


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How the cells of a table are written; the defaults fit a CSV with commas and decimal points.

    Attributes:
        decimal: the decimal mark, a point or a comma.
        thousands: the mark between groups of three digits; None if there is none.
        delimiter: the sign between two cells of a CSV; None means a comma.
        missing: words that stand for a missing value, besides an empty cell, NA, NaN, NULL and their kin.
    """

    decimal: str = "."
    thousands: str | None = None
    delimiter: str | None = None
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.decimal not in DECIMALS:
            raise DataError(f"decimal: got {self.decimal!r}, expected a point or a comma")
        for name in ("thousands", "delimiter"):
            sign = getattr(self, name)
            if sign is not None and (
                len(sign) != 1 or sign in UNUSABLE.replace("'", "" if name == "thousands" else "'")
            ):
                raise DataError(f"{name}: got {sign!r}, expected one sign, such as ';' or a tab")
        if self.delimiter is not None and not self.delimiter.isascii():
            raise DataError(f"delimiter: got {self.delimiter!r}, expected an ASCII sign, such as ';' or a tab")
        if self.thousands == self.decimal:
            raise DataError(f"thousands: {self.thousands!r} is the decimal mark as well; give another --decimal")
        if self.delimiter is not None and self.delimiter in (self.decimal, "."):
            raise DataError(f"delimiter: {self.delimiter!r} is part of numbers; expected another sign")

    @property
    def separator(self) -> str:
        """The sign between two cells."""
        return self.delimiter or ","


AS_USUAL = ReadOptions()
