"""Parse the text of an input, such as `x=float32[batch,16]`, without torch, which the command line loads later."""

import re
from dataclasses import dataclass

from linreg.errors import ExportError

INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<dtype>\w+)\[(?P<shape>[^\]]*)\](?:<(?P<below>[0-9]+))?")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
EXPECTED = "expected NAME=DTYPE[batch,SIZE,..] such as x=float32[batch,16], or ids=int64[batch,8]<100"


@dataclass(frozen=True, kw_only=True)
class InputText:
    """The parts of the text of an input.

    Attributes:
        name: name of the argument of forward.
        dtype: one of `DTYPES`.
        shape: size of each axis; None for the batch, which only the first axis can be.
        below: exclusive upper limit for random integers; 2 if none is given.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    below: int


def split_input(text: str) -> InputText:
    """Split an input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for integers below 100.

    Raises:
        ExportError: the text is not of this form.
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
    below = 2 if dtype == "bool" or match["below"] is None else int(match["below"])
    if (integer := re.fullmatch(r"(u?)int([0-9]+)", dtype)) is not None:
        count = 2 ** (int(integer[2]) - (0 if integer[1] else 1))
        if not 1 <= below <= count:
            raise ExportError(f"--input: got {text!r}, expected a limit from 1 to {count}")
    return InputText(name=match["name"], dtype=dtype, shape=shape, below=below)
