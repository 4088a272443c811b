"""Parse the text of an input, such as `x=float32[batch,16]`, without torch, which the command line loads later."""

import re
from dataclasses import dataclass

from linreg.errors import ExportError

INPUT = re.compile(
    r"(?:(?P<least>-?[0-9]+)<=)?(?P<name>[A-Za-z_]\w*)=(?P<dtype>\w+)\[(?P<shape>[^\]]*)\](?:<(?P<below>-?[0-9]+))?(?P<prefix>\s+prefix)?"
)
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
NEEDS_LIMIT = ("int32", "int64")
"""The dtypes of indices and masks, whose values are in a range that only the user knows."""

EXPECTED = (
    "expected NAME=DTYPE[batch,SIZE,..] such as x=float32[batch,16], ids=int64[batch,8]<100, 1<=n=int64[batch]<13 or "
    "'mask=int64[batch,8] prefix'"
)


@dataclass(frozen=True, kw_only=True)
class InputText:
    """The parts of the text of an input.

    Attributes:
        name: name of the argument of forward.
        dtype: one of `DTYPES`.
        shape: size of each axis; None for the batch, which only the first axis can be.
        below: exclusive upper limit for random integers; 2 if none is given.
        least: inclusive lower limit for random integers.
        prefix: random values are right-padded masks.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    below: int
    least: int = 0
    prefix: bool = False


def split_input(text: str) -> InputText:
    """Split an input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for integers below 100.

    `1<=lengths=int64[batch]<13` gives a lower limit as well; without one it is 0. `mask=int64[batch,8] prefix` is a
    right-padded mask: each row is a random number of ones, at least one, and then zeros.

    Raises:
        ExportError: the text is not of this form, or int32 or int64 has no upper limit and is no mask.
    """
    match = INPUT.fullmatch(text.strip())
    if match is None or match["dtype"] not in DTYPES:
        raise ExportError(f"--input: got {text!r}, {EXPECTED} with a dtype of {', '.join(DTYPES)}")
    sizes = [size.strip() for size in match["shape"].split(",")]
    if not all(size == "batch" or (size.isascii() and size.isdigit() and int(size) > 0) for size in sizes):
        raise ExportError(f"--input: got {text!r}, {EXPECTED}")
    if "batch" in sizes[1:]:
        raise ExportError(f"--input: got {text!r}, expected batch as the first axis only")
    shape = tuple(None if size == "batch" else int(size) for size in sizes)
    dtype = match["dtype"]
    if match["prefix"]:
        return _mask(text, match, shape)
    if match["below"] is None and (dtype in NEEDS_LIMIT or (match["least"] is not None and "int" in dtype)):
        bare = text.strip().rpartition("<=")[2]
        mask = f", or '{bare} prefix' for a right-padded mask" if "mask" in match["name"] else ""
        raise ExportError(
            f"--input: got {text!r}, expected the limits of its values, such as {bare}<1000 for 0 to 999, or "
            f"1<={bare}<13 for 1 to 12{mask}"
        )
    below, least = int(match["below"] or 2), int(match["least"] or 0)
    if (integer := re.fullmatch(r"(u?)int([0-9]+)", dtype)) is not None:
        bits = int(integer[2]) - (0 if integer[1] else 1)
        if not (0 if integer[1] else -(2**bits)) <= least < below <= 2**bits:
            raise ExportError(f"--input: got {text!r}, expected a limit from {max(least + 1, 1)} to {2**bits}")
    elif match["least"] is not None:
        raise ExportError(f"--input: got {text!r}, but only whole numbers have a lower limit; leave it out")
    below = 2 if dtype == "bool" else below
    return InputText(name=match["name"], dtype=dtype, shape=shape, below=below, least=least)


def _mask(text: str, match: re.Match[str], shape: tuple[int | None, ...]) -> InputText:
    """Return a right-padded mask, whose values are 0 and 1.

    Raises:
        ExportError: it has limits, floating values, or no axis along which it could be padded.
    """
    if match["dtype"].startswith("float") or match["below"] or match["least"] or len(shape) < 2:
        raise ExportError(
            f"--input: got {text!r}, but prefix describes a mask of 0 and 1 with an axis after batch, such as "
            f"{match['name']}=int64[batch,8] prefix or {match['name']}=bool[batch,8] prefix"
        )
    return InputText(name=match["name"], dtype=match["dtype"], shape=shape, below=2, prefix=True)
