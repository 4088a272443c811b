"""Read metadata, column names and exact weights from SQL that linreg wrote, without a database or torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.source_code.comment import SourceText, read_comment, row_sizes
from export.formats.sql_columns import MAX_COLUMNS
from linreg.errors import ModelError

Array = NDArray[Any]

FIRST_LINE = "/* An affine model: output = input * weight^T + bias. SQL exported by linreg; do not edit.\n"
FIRST_LINE_OF_NETWORK = "/* A feed-forward network. SQL exported by linreg; do not edit.\n"

TABLE = "linreg_input"
"""The table or view that the query reads."""

_DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
_NUMBER = r"(-?\d+(?:\.\d+)?e[-+]?\d+)"
_NUMBERS = re.compile(rf"(?<![\w.]){_NUMBER}")
_NUMBERED = re.compile(rf"{_NUMBER}/\*(\d+)\.(\d+)\*/")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(frozen=True, kw_only=True)
class SqlText(SourceText):
    """The contents of model.sql.

    Attributes:
        query: the SQL, with its comment.
        columns: names of the columns that the query reads, in the order of the elements of a row of the input.
        predicted: names of the columns that it adds, in the order of the elements of a row of the output.
        dtype: dtype of the model's input, output and weights; SQL computes in double precision.
    """

    query: str
    columns: tuple[str, ...]
    predicted: tuple[str, ...]


def is_sql(data: bytes) -> bool:
    """Return whether the data is SQL that linreg wrote."""
    return data.startswith((FIRST_LINE.encode(), FIRST_LINE_OF_NETWORK.encode()))


def quoted(name: str) -> str:
    """Return a name as a delimited identifier of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def alias(name: str) -> str:
    """Return the words that name an added column, after its expression."""
    return f"\n    AS {quoted(name)}"


def end_of_query(added: Sequence[str]) -> str:
    """Return the words after the last added column.

    Their condition is true, and an error in every database if the table has one of the added columns.
    """
    names = [quoted(name) for name in added]
    free = ", ".join(f"0 AS {name}" for name in names)
    guard = f"SELECT {', '.join(names)} FROM (SELECT {free}) AS added, {TABLE} LIMIT 0"
    return f"\nFROM {TABLE} AS given\nWHERE NOT EXISTS ({guard})\n"


def column_names(metadata: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the columns that the query reads, and of those that it adds.

    They are the features and `predicted_TARGET` of a trained model; otherwise the names of input and output, with
    the place of the element in its row: `x_0`, `x_1` or `x_0_0`.
    """
    (given,), (made,) = metadata["inputs"], metadata["outputs"]
    features, target = metadata.get("features"), metadata.get("target")
    columns, predicted = _numbered(given["name"], row_sizes(given)), _numbered(made["name"], row_sizes(made))
    if isinstance(features, list) and len(features) == len(columns):
        columns = tuple(map(str, features))
    if isinstance(target, str) and len(predicted) == 1:
        predicted = (f"predicted_{target}",)
    return columns, predicted


def _numbered(name: str, sizes: Sequence[int]) -> tuple[str, ...]:
    if prod(sizes) == 1:
        return (str(name),)
    return tuple("_".join(map(str, (name, *place))) for place in np.ndindex(*sizes))


def read_sql(name: str, data: bytes) -> SqlText:
    """Parse the bytes of model.sql.

    Raises:
        ModelError: the data is not SQL that linreg wrote, or it is damaged.
    """
    try:
        text = data.decode("utf-8")
        affine = text.startswith(FIRST_LINE)
        metadata = read_comment(text, FIRST_LINE if affine else FIRST_LINE_OF_NETWORK)
        (entry,), (result,) = metadata["inputs"], metadata["outputs"]
        input_shape, output_shape = row_sizes(entry), row_sizes(result)
        sizes = prod(input_shape), prod(output_shape)
        if min(sizes) < 1 or sum(sizes) > MAX_COLUMNS:
            raise ValueError(f"it has {sizes[0]} inputs and {sizes[1]} outputs, expected {MAX_COLUMNS} at most")
        dtype = _DTYPES[entry["dtype"]]
        body = _QUOTED.sub('""', text.partition("*/\n")[2])
        columns, predicted = column_names(metadata)
        read = _affine_weights if affine else _numbered_weights
        return SqlText(
            query=text,
            columns=columns,
            predicted=predicted,
            dtype=dtype,
            input_shape=input_shape,
            output_shape=output_shape,
            affine=affine,
            metadata=metadata,
            weights=read(body, metadata["parameters"], prod(output_shape), dtype),
        )
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise ModelError(f"{name}: is not SQL of linreg: {str(error)[:100]}; export it again") from None


def _affine_weights(
    body: str, parameters: list[dict[str, Any]], outputs: int, dtype: np.dtype[Any]
) -> dict[str, Array]:
    """Return weight and bias, whose numbers stand in the order of the sums."""
    sizes = [prod(entry["shape"]) for entry in parameters]
    found = islice(_NUMBERS.finditer(body), min(sum(sizes), len(body)) + 1)
    numbers = np.fromiter((float(number[0]) for number in found), np.float64)
    if len(numbers) != sum(sizes):
        raise ValueError(f"it has not the {sum(sizes)} numbers of its metadata")
    rows = _exact(numbers, dtype).reshape(outputs, -1)
    features = sizes[0] // outputs
    arrays = [rows[:, :features], rows[:, features:]]
    return {entry["name"]: array.reshape(entry["shape"]) for entry, array in zip(parameters, arrays, strict=False)}


def _numbered_weights(
    body: str, parameters: list[dict[str, Any]], _outputs: int, dtype: np.dtype[Any]
) -> dict[str, Array]:
    """Return the constants of a network; a comment after each number says which element of which constant it is."""
    found: list[dict[int, str]] = [{} for _ in parameters]
    for match in _NUMBERED.finditer(body):
        number, constant, place = match.groups()
        if found[int(constant)].setdefault(int(place), number) != number:
            raise ValueError(f"number {constant}.{place} has two values")
    arrays = {}
    for entry, numbers in zip(parameters, found, strict=True):
        if sorted(numbers) != list(range(len(numbers))) or len(numbers) != prod(entry["shape"]):
            raise ValueError(f"{entry['name']!r} has {len(numbers)} numbers, expected those of {entry['shape']}")
        values = np.array([float(numbers[place]) for place in range(len(numbers))], np.float64)
        arrays[entry["name"]] = _exact(values, dtype).reshape(entry["shape"])
    return arrays


def _exact(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """Return numbers in the dtype of the model, which must hold them without rounding."""
    with np.errstate(over="ignore"):
        values = numbers.astype(dtype)
    if not np.array_equal(values.astype(np.float64), numbers):
        raise ValueError(f"it has a number that is not exact in {dtype}")
    return values
