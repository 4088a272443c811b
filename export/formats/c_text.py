"""Read metadata, shapes and exact weights from C source that linreg wrote, without a compiler or torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.source_code.comment import SourceText, read_arrays, read_comment, row_sizes
from linreg.errors import ModelError

Array = NDArray[Any]

FIRST_LINE = "/* An affine model: output = input * weight^T + bias. C source exported by linreg; do not edit.\n"
FIRST_LINE_OF_NETWORK = "/* A feed-forward network. C source exported by linreg; do not edit.\n"
END_OF_HEADER = "\n/* End of the header. */\n"

_FUNCTION = re.compile(
    r"^void (\w+)_predict\(size_t batch, const (float|double) \*input, \2 \*output(, \2 \*scratch)?\);$", re.MULTILINE
)
_SCRATCH = re.compile(r"^#define \w+_SCRATCH (\d{1,9})$", re.MULTILINE)
_ARRAY = re.compile(r"^static const (?:float|double) \w+\[\d+\] = \{\n([-+.,\s0-9a-fpx]*)\};$", re.MULTILINE)
_DTYPES: dict[str, np.dtype[Any]] = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}


@dataclass(frozen=True, kw_only=True)
class CText(SourceText):
    """The contents of model.c or model.h, which has no weights.

    Attributes:
        prefix: prefix of the C identifiers.
        scratch: number of numbers that a call needs as scratch memory; 0 if it takes none.
    """

    prefix: str
    scratch: int


def is_c(data: bytes) -> bool:
    """Return whether the data is C source, or a C header, that linreg wrote."""
    return data.startswith((FIRST_LINE.encode(), FIRST_LINE_OF_NETWORK.encode()))


def header_of(data: bytes) -> bytes:
    """Return the text of model.h, which is the beginning of model.c."""
    return data.partition(END_OF_HEADER.encode())[0]


def names_in_header(prefix: str, metadata: Mapping[str, Any]) -> str:
    """Return macros with the identity of the weights and the names of the columns; they cost nothing unless used."""
    macro = prefix.upper()
    lines = [f'#define {macro}_STATE_SHA256 "{metadata["state_sha256"]}"\n']
    features, target = metadata.get("features"), metadata.get("target")
    if isinstance(features, list) and [len(features)] == list(metadata["inputs"][0]["shape"][1:]):
        strings = ", \\\n    ".join(_string(name) for name in features)
        lines.append(f"#define {macro}_FEATURE_NAMES {{ \\\n    {strings}}}\n")
    if isinstance(target, str):
        lines.append(f"#define {macro}_TARGET_NAME {_string(target)}\n")
    return "".join(lines)


def _string(text: object) -> str:
    """Return a C string literal in UTF-8. Special bytes become three octal digits, which no later digit can extend."""
    data = str(text).encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(byte) if _is_plain(byte) else f"\\{byte:03o}" for byte in data) + '"'


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and chr(byte) not in '"\\?'


def read_c(name: str, data: bytes) -> CText:
    """Parse the bytes of model.c or model.h.

    Raises:
        ModelError: the data is not C source that linreg wrote, or it is damaged.
    """
    try:
        text = data.decode("ascii")
        affine = text.startswith(FIRST_LINE)
        first = FIRST_LINE if affine else FIRST_LINE_OF_NETWORK
        metadata = read_comment(text, first)
        if (function := _FUNCTION.search(text)) is None:
            raise ValueError("it declares no predict function")
        dtype = _DTYPES[function[2]]
        (entry,), (result,) = metadata["inputs"], metadata["outputs"]
        weights = read_arrays(_ARRAY.findall(text), metadata["parameters"], dtype, _number, "0x0p+0, ")
        input_shape, output_shape = row_sizes(entry), row_sizes(result)
        sizes = prod(input_shape), prod(output_shape)
        if weights and (min(sizes) < 1 or (affine and next(iter(weights.values())).size != prod(sizes))):
            raise ValueError("the shape of its weights does not match its inputs and outputs")
        scratch = _SCRATCH.search(text) if function[3] else None
        if function[3] and scratch is None:
            raise ValueError("it does not say how much scratch memory it needs")
        return CText(
            prefix=function[1],
            dtype=dtype,
            input_shape=input_shape,
            output_shape=output_shape,
            scratch=0 if scratch is None else int(scratch[1]),
            affine=affine,
            metadata=metadata,
            weights=weights,
        )
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise ModelError(f"{name}: is not C source of linreg: {str(error)[:100]}; export it again") from None


def _number(word: str) -> float:
    """Read a hexadecimal number without rounding."""
    return float.fromhex(word.rstrip("f"))
