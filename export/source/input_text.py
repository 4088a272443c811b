"""Parse the text of an input, such as `x=float32[batch,16]`, without torch, which the command line loads later."""

import re
from dataclasses import dataclass

from export.source.axes import Axis, merged
from linreg.errors import ExportError

INPUT = re.compile(
    r"(?:(?P<least>-?[0-9]+)<=)?(?P<name>[A-Za-z_]\w*(?:\.\w+)*)=(?P<dtype>\w+)\[(?P<shape>[^\]]*)\](?:<(?P<below>-?[0-9]+))?(?P<prefix>\s+prefix)?"
)
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
NEEDS_LIMIT = ("int32", "int64")
"""The dtypes of indices and masks, whose values are in a range that only the user knows."""

AXIS = re.compile(
    r"(?P<name>[A-Za-z_]\w*)(?::(?P<least>[0-9]{1,12})\.\.(?P<most>[0-9]{1,12})?(?:\*(?P<step>[0-9]{1,9}))?)?", re.ASCII
)
SIZE = re.compile(r"0*[1-9][0-9]{0,11}", re.ASCII)
EXPECTED = (
    "expected NAME=DTYPE[AXIS,..], where an axis is a size, or the name of a dynamic axis with or without its range, "
    "such as x=float32[batch,16], ids=int64[batch,seq:1..512]<100, 1<=n=int64[batch]<13 or "
    "'mask=int64[batch,seq] prefix'"
)


@dataclass(frozen=True, kw_only=True)
class InputText:
    """The parts of the text of an input.

    Attributes:
        name: name of the argument of forward; with the place or key of a tensor in it, such as `state.0` or
            `batch.ids`, if it is a tuple or dict.
        dtype: one of `DTYPES`.
        shape: size of each axis, or name of a dynamic axis.
        below: exclusive upper limit for random integers; 2 if none is given.
        least: inclusive lower limit for random integers.
        prefix: random values are right-padded masks.
        axes: the dynamic axes, by order of appearance.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    below: int
    least: int = 0
    prefix: bool = False
    axes: tuple[Axis, ...] = ()


def split_input(text: str) -> InputText:
    """Split an input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for integers below 100.

    A name in the shape is a dynamic axis. `seq:1..512` is one with sizes from 1 to 512, and `h:32..1024*32` one whose
    sizes are 32, 64 and so on up to 1024. `1<=lengths=int64[batch]<13` gives integers a lower limit; without one it is
    0. `mask=int64[batch,seq] prefix` is a right-padded mask: each row is a random number of ones, at least one, and
    then zeros.

    Raises:
        ExportError: the text is not of this form, or int32 or int64 has no upper limit and is no mask.
    """
    match = INPUT.fullmatch(text.strip())
    if match is None or match["dtype"] not in DTYPES:
        raise ExportError(f"--input: got {text!r}, {EXPECTED} with a dtype of {', '.join(DTYPES)}")
    parsed = [_axis(text, size.strip()) for size in match["shape"].split(",")]
    shape = tuple(axis.name if isinstance(axis, Axis) else axis for axis in parsed)
    axes = merged(axis for axis in parsed if isinstance(axis, Axis))
    dtype = match["dtype"]
    if match["prefix"]:
        return _mask(text, match, shape, axes)
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
    return InputText(name=match["name"], dtype=dtype, shape=shape, below=below, least=least, axes=axes)


def _mask(text: str, match: re.Match[str], shape: tuple[int | str, ...], axes: tuple[Axis, ...]) -> InputText:
    """Return a right-padded mask, whose values are 0 and 1.

    Raises:
        ExportError: it has limits, floating values, or no axis along which it could be padded.
    """
    if match["dtype"].startswith("float") or match["below"] or match["least"] or len(shape) < 2:
        raise ExportError(
            f"--input: got {text!r}, but prefix describes a mask of 0 and 1 with an axis after batch, such as "
            f"{match['name']}=int64[batch,seq] prefix or {match['name']}=bool[batch,8] prefix"
        )
    return InputText(name=match["name"], dtype=match["dtype"], shape=shape, below=2, prefix=True, axes=axes)


def _axis(text: str, size: str) -> int | Axis:
    """Return one part of a shape: a size, or a dynamic axis."""
    if SIZE.fullmatch(size):
        return int(size)
    match = AXIS.fullmatch(size)
    if match is None:
        raise ExportError(f"--input: got {text!r}, {EXPECTED}")
    least, most, step = int(match["least"] or 1), match["most"], int(match["step"] or 1)
    if least < 1 or step < 1 or (most is not None and int(most) < least):
        raise ExportError(
            f"--input: got {text!r}, expected a range of sizes from 1 for axis {match['name']!r}, such as "
            f"{match['name']}:1..512"
        )
    return Axis(name=match["name"], least=least, most=None if most is None else int(most), step=step)
