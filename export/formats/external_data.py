"""The weights of an ONNX model in a second file, for models beyond protobuf's limit of 2 GB.

Only one place is accepted: the file in the same folder that has the name of the model and `.data`. Its sha256 is in the
metadata of the model, so that the bytes of model.onnx identify the weights too. Readers take the contents from memory,
once they have been hashed: a runtime never opens the file itself.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.protobuf import Part, Reader, signed
from linreg.config import MAX_STATE_BYTES
from linreg.errors import MismatchError, ModelError, one_line
from linreg.files import sha256
from linreg.inside import file_inside, read_inside
from linreg.manifest import Manifest, read_entry, read_manifest

Array = NDArray[Any]

SUFFIX = ".data"


METADATA_KEY = "linreg.external_data"

DTYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 14: np.complex64, 15: np.complex128, 16: np.int16,
}  # fmt: skip
"""The dtype of each TensorProto.DataType that may be external; bfloat16 (16) is read as the bits of int16."""

MODEL_GRAPH, MODEL_METADATA, GRAPH_INITIALIZER = 7, 14, 5
DIMS, DATA_TYPE, NAME, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 8, 13, 14
EXTERNAL = 1
MAX_TEXT = 1000


@dataclass(frozen=True, kw_only=True)
class ExternalTensor:
    """Where the values of an initializer are.

    Attributes:
        name: name of the initializer.
        kind: its TensorProto.DataType.
        shape: its shape.
        location: name of the file, as the model gives it.
        offset: of its first byte in that file.
        length: its size in bytes.
    """

    name: str
    kind: int
    shape: tuple[int, ...]
    location: str
    offset: int
    length: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalData:
    """The checked contents of a model's second file, in memory.

    Attributes:
        tensors: the initializers of the main graph whose values they are.
        arrays: the values of each by name; bfloat16 as int16.
        contents: the bytes of the file, of which the arrays are views; None if they were copied.
    """

    tensors: tuple[ExternalTensor, ...]
    arrays: Mapping[str, Array]
    contents: Any = None


def external_tensors(name: str, data: bytes) -> tuple[ExternalTensor, ...]:
    """List the initializers of the main graph whose values are in another file.

    Args:
        name: name of the model, for messages.
        data: bytes of the model.

    Raises:
        ModelError: the model is not protobuf, or describes an external tensor in a way that linreg does not write.
    """
    if b"location" not in data:  # the key of every reference to another file
        return ()
    reader = Reader(data)
    found = []
    try:
        for graph in reader.messages([(0, len(data))], MODEL_GRAPH):
            for part in reader.messages([graph], GRAPH_INITIALIZER):
                if (tensor := _external_tensor(reader, part)) is not None:
                    found.append(tensor)
        if len({tensor.name for tensor in found}) != len(found):
            raise ValueError("two initializers have one name")
    except ValueError as error:
        raise ModelError(f"{name}: refers to another file for its weights: {one_line(error)}; export again") from None
    return tuple(found)


def external_sha256(name: str, data: bytes) -> str | None:
    """Return the sha256 of the second file, as the metadata of the model gives it; None if it gives none.

    Args:
        name: name of the model, for messages.
        data: bytes of the model.

    Raises:
        ModelError: the data is not protobuf, or the metadata is not what linreg writes.
    """
    reader = Reader(data)
    found = None
    try:
        for part in reader.messages([(0, len(data))], MODEL_METADATA):
            key, value = (reader.messages([part], number) for number in (1, 2))
            if key and value and reader.text(key[-1], MAX_TEXT) == METADATA_KEY:
                found = str(json.loads(reader.text(value[-1], MAX_TEXT))["sha256"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{name}: its metadata cannot be read: {one_line(error)}; export again") from None
    return found


def read_external_data(path: Path, data: bytes, manifest: Manifest | None = None) -> ExternalData | None:
    """Read the second file of a model into memory, and check it; None if the model has none.

    Args:
        path: path of the model.
        data: bytes of the model, already checked.
        manifest: manifest of its folder, if it was already read.

    Raises:
        ModelError: the model refers to any file but the one beside it, the file is missing or a link, or a tensor does
            not lie inside it.
        MismatchError: the bytes of the file differ from the manifest, or from the sha256 in the model.
        LinregError: the file cannot be read.
    """
    if not (tensors := external_tensors(str(path), data)):
        return None
    location = check_location(path, tensors)
    manifest = manifest or read_manifest(path.parent)
    entry = None if manifest is None else manifest.entry(location)
    if manifest is not None and entry is None and manifest.entry(path.name) is not None:
        raise MismatchError(f"{path.parent / location}: holds weights, and the manifest does not list it; export again")
    if entry is not None:
        contents = read_entry(path.parent, entry)
    elif file_inside(path.parent, location):
        contents = read_inside(path.parent, location, limit=MAX_STATE_BYTES)
    else:
        raise ModelError(f"{path}: needs its weights in {location} beside it, which is missing; copy both files")
    return checked(str(path), data, tensors, contents, entry.sha256 if entry is not None else sha256(contents))


def check_location(path: Path, tensors: Sequence[ExternalTensor]) -> str:
    """Check that all external tensors are in the one file beside a model, and return its name.

    Raises:
        ModelError: a tensor is anywhere else.
    """
    location = path.name + SUFFIX
    for tensor in tensors:
        if tensor.location != location:
            raise ModelError(
                f"{path}: keeps {tensor.name[:60]!r} in {tensor.location[:80]!r}, and only {location!r} beside it is "
                "accepted; if the model was renamed, give it its old name"
            )
    return location


def checked(
    name: str, data: bytes, tensors: tuple[ExternalTensor, ...], contents: Any, digest: str | None
) -> ExternalData:
    """Check contents in memory against a model.

    Args:
        name: name of the model, for messages.
        data: bytes of the model.
        tensors: what `external_tensors` returned.
        contents: bytes of the second file.
        digest: sha256 of `contents`; None if it need not be checked again.

    Raises:
        ModelError: a tensor does not lie inside the file.
        MismatchError: the sha256 in the model is another.
    """
    size = memoryview(contents).nbytes
    for tensor in tensors:
        if tensor.offset + tensor.length > size:
            raise ModelError(
                f"{name}: keeps {tensor.name[:60]!r} at bytes {tensor.offset} to {tensor.offset + tensor.length} of "
                f"its second file, which has {size}; restore the file, or export again"
            )
    if digest is not None:
        wanted = external_sha256(name, data)
        if wanted not in (None, digest):
            raise MismatchError(
                f"{name}{SUFFIX}: has sha256 {digest[:12]}.., and {name} says {str(wanted)[:12]}..; restore the file, "
                "or export again"
            )
    flat = np.frombuffer(contents, np.uint8)
    arrays: dict[str, Array] = {
        entry.name: flat[entry.offset : entry.offset + entry.length].view(DTYPES[entry.kind]).reshape(entry.shape)
        for entry in tensors
    }
    return ExternalData(tensors=tensors, arrays=arrays, contents=contents)


def _external_tensor(reader: Reader, part: Part) -> ExternalTensor | None:
    sizes: list[int] = []
    name, kind, place, entries = "", 0, 0, []
    for number, value in reader.fields([part]):
        if number == DIMS:
            sizes += [value] if isinstance(value, int) else reader.varints(value)
        elif number == NAME and isinstance(value, tuple):
            name = reader.text(value, MAX_TEXT)
        elif number == EXTERNAL_DATA and isinstance(value, tuple):
            entries.append(value)
        elif number == DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == DATA_LOCATION and isinstance(value, int):
            place = value
    if place != EXTERNAL:
        return None
    texts: dict[str, str] = {}
    for entry in entries:
        key, text = (reader.messages([entry], number) for number in (1, 2))
        if len(key) != 1 or len(text) != 1 or texts.setdefault(reader.text(key[0], MAX_TEXT), "") != "":
            raise ValueError(f"{name[:60]!r} has an odd or repeated key")
        texts[reader.text(key[0], MAX_TEXT)] = reader.text(text[0], MAX_TEXT)
    return _placed(name, kind, tuple(map(signed, sizes)), texts)


def _placed(name: str, kind: int, shape: tuple[int, ...], texts: Mapping[str, str]) -> ExternalTensor:
    shown = repr(name[:60])
    if set(texts) != {"location", "offset", "length"}:
        raise ValueError(f"{shown} has the keys {sorted(texts)[:8]}, expected location, offset and length")
    if not all(texts[key].isascii() and texts[key].isdecimal() for key in ("offset", "length")):
        raise ValueError(f"{shown} has an offset or a length that is not a whole number")
    if kind not in DTYPES or min(shape, default=0) < 0:
        raise ValueError(f"{shown} has the data type {kind} or the shape {shape[:8]}, which are not supported")
    offset, length = int(texts["offset"]), int(texts["length"])
    if length != math.prod(shape) * np.dtype(DTYPES[kind]).itemsize:
        raise ValueError(f"{shown} has {length} bytes, expected those of its shape {shape[:8]}")
    return ExternalTensor(name=name, kind=kind, shape=shape, location=texts["location"], offset=offset, length=length)
