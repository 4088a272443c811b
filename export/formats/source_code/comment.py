"""The comment that source code begins with: what the file is, and its metadata as JSON.

The JSON is ASCII without / and ?, so that no text in it can end or change the comment.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bounded_json import parse_json
from export.formats.source_code.steps import Network
from export.source.source import Source

Array = NDArray[Any]

MAX_METADATA_BYTES = 96 * 2**20
"""Memory limit for the metadata."""

MAX_SIZE = 2**31
MAX_AXES = 8

_JSON = re.compile(r" \* \{\n(.*?)\n \* \}\n \*/\n", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class SourceText:
    """What a source file holds, in any language.

    Attributes:
        dtype: dtype of input, output and weights.
        input_shape: sizes of one row of the input.
        output_shape: sizes of one row of the output.
        affine: whether the only step is a Linear, all of whose parameters are in the file.
        metadata: JSON values, as the exporter wrote them.
        weights: arrays by their key in the state_dict, or their name in model.onnx.
    """

    dtype: np.dtype[Any]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    affine: bool
    metadata: dict[str, Any]
    weights: dict[str, Array]


def comment(source: Source, first_line: str, network: Network) -> str:
    """Return the comment of a source file, with the arrays that follow in it.

    Args:
        source: the exported module, whose parameters are listed if it is affine.
        first_line: begins the comment.
        network: the steps, whose constants are listed if the module is not affine.
    """
    if source.affine is None:
        listed = [(entry.name, str(entry.values.dtype), list(entry.values.shape)) for entry in network.constants()]
    else:
        state = source.module.state_dict()
        listed = [(key, str(value.dtype).removeprefix("torch."), list(value.shape)) for key, value in state.items()]
    parameters = [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape in listed]
    entries = sorted({**source.metadata, "parameters": parameters}.items())
    lines = [f" *  {json_text(key)}: {json_text(value)}" for key, value in entries]
    return first_line + " * {\n" + ",\n".join(lines) + "\n * }\n */\n"


def json_text(value: Any) -> str:
    """Return a value as JSON that can stand in a comment."""
    text = json.dumps(value, sort_keys=True)
    return text.replace("/", "\\u002f").replace("?", "\\u003f").replace("\x7f", "\\u007f")


def read_comment(text: str, first_line: str) -> dict[str, Any]:
    """Return the metadata in the comment that a text begins with.

    Raises:
        ValueError: the text does not begin with that line and such a comment.
        KeyError: an entry is missing.
        TypeError: an entry has the wrong type.
    """
    if not text.startswith(first_line) or (found := _JSON.match(text, len(first_line))) is None:
        raise ValueError("it does not begin like one")
    words = "{" + found[1].replace("\n * ", "\n ").removeprefix(" * ") + "}"
    metadata: dict[str, Any] = parse_json(words.encode(), max_bytes=MAX_METADATA_BYTES)
    for key in ("inputs", "outputs", "parameters"):
        metadata[key] = [_tensor(entry) for entry in metadata[key]]
    return metadata


def _tensor(entry: dict[str, Any]) -> dict[str, Any]:
    """Check the metadata of an input, output or parameter, whose axes have bounded sizes."""
    if len(entry["shape"]) > MAX_AXES or any(
        size != "batch" and not (type(size) is int and 0 <= size < MAX_SIZE) for size in entry["shape"]
    ):
        raise ValueError(f"{str(entry['name'])[:40]!r} has an invalid shape")
    return {"name": str(entry["name"]), "dtype": str(entry["dtype"]), "shape": list(entry["shape"])}


def row_sizes(entry: dict[str, Any]) -> tuple[int, ...]:
    """Return the sizes of one row of an input or output, whose first axis is the batch.

    Raises:
        ValueError: the first axis is not the batch, or another one is.
    """
    batch, *sizes = entry["shape"]
    if batch != "batch" and not isinstance(batch, int):
        raise ValueError("its first axis is not the batch")
    return tuple(int(size) for size in sizes)


def read_arrays(
    texts: Sequence[str],
    parameters: list[dict[str, Any]],
    dtype: np.dtype[Any],
    number: Callable[[str], float],
    shortest: str,
) -> dict[str, Array]:
    """Return arrays by the name of their parameter.

    Args:
        texts: the numbers of each array, separated by commas; none at all for a file without arrays.
        parameters: names and shapes from the metadata.
        dtype: dtype of the arrays.
        number: reads a number without its white space.
        shortest: the shortest number that is written, with what separates it from the next. A text of shorter ones
            could take much more memory than the file has bytes.

    Raises:
        ValueError: the arrays are not those of the metadata.
    """
    if sum(text.count(",") for text in texts) > sum(map(len, texts)) // len(shortest):
        raise ValueError("its numbers are shorter than any that linreg writes")
    if texts and len(texts) != len(parameters):
        raise ValueError(f"it has {len(texts)} arrays of weights, expected {len(parameters)}")
    found = {}
    for numbers, entry in zip(texts, parameters, strict=False):
        values = np.fromiter((number(word.strip()) for word in numbers.split(",")), np.float64)
        shape = tuple(int(size) for size in entry["shape"])
        if prod(shape) != len(values):
            raise ValueError(f"{entry['name']!r} has {len(values)} numbers, expected {shape}")
        with np.errstate(over="ignore"):
            found[entry["name"]] = values.astype(dtype).reshape(shape)
    return found
