"""Read and write a plain state_dict in torch's zip format, without torch."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.archive import CENTRAL, END, LOCAL, MAX_PICKLE_BYTES, UTF8_FLAG, is_archive, read_archive
from linreg.config import MAX_EXPANDED_BYTES
from linreg.errors import LinregError, ModelError
from linreg.state_pickle import STORAGES, NotPlainError, read_pickle

Array = NDArray[Any]

ALIGNMENT = 64
"""torch puts the contents of each record at a multiple of so many bytes, so that it can map them into memory."""

FIRST_DAY = 0x21
"""1 January 1980, the first date that a zip archive can hold."""

LARGEST_BYTES = 2**32 - 2**20
"""A larger archive would need zip64."""


def read_pth(name: str, data: bytes) -> dict[str, Array]:
    """Return the arrays of a plain state_dict by name; they may be read-only views of each other's memory.

    Args:
        name: name of the file, used in messages.
        data: contents of the file.

    Raises:
        NotPlainError: the file is not a plain state_dict of dense floating tensors, or is damaged.
    """
    if not is_archive(data):
        raise NotPlainError("it is not an archive")
    try:
        records = read_archive(name, data)
    except ModelError as error:
        raise NotPlainError(str(error)) from None
    storages: dict[str, tuple[str, Array]] = {}

    def storage_of(key: str, dtype: str, count: int) -> Array:
        record = records[f"data/{key}"]
        if len(record) != count * np.dtype(dtype).itemsize:
            raise NotPlainError("it has a storage of another size")
        known, values = storages.setdefault(key, (dtype, np.frombuffer(record, dtype)))
        if known != dtype:
            raise NotPlainError("it has a storage of two dtypes")
        return values

    version, order = (bytes(records.get(key, default)) for key, default in (("version", b""), ("byteorder", b"little")))
    if (version, order) != (b"3\n", b"little"):
        raise NotPlainError("it is of another version or byte order")
    if not bytes(records.get(".storage_alignment", b"64")).isdigit():
        raise NotPlainError("its alignment is no number")
    if "constants.pkl" in records or "data.pkl" not in records:
        raise NotPlainError("it is not a file of torch.save")
    if len(records["data.pkl"]) > MAX_PICKLE_BYTES:
        raise NotPlainError("it has too many instructions")
    arrays, metadata = read_pickle(bytes(records["data.pkl"]), storage_of)
    if not arrays:
        raise NotPlainError("it holds no tensor")
    _check_metadata(metadata)
    _check_expanded(arrays)
    return arrays


def _check_metadata(metadata: Any) -> None:
    """Check that the metadata are versions by name, as torch writes them."""
    if metadata is None:
        return
    good = isinstance(metadata, dict) and all(
        isinstance(value, dict) and type(value.get("version", 1)) is int for value in metadata.values()
    )
    if not good:
        raise NotPlainError("its _metadata is not what torch writes")


def _check_expanded(arrays: Mapping[str, Array]) -> None:
    """Check that views in which a few numbers represent many, as with stride 0, do not take too much memory."""
    claimed = sum(array.nbytes for array in arrays.values() if array.size > _reach(array))
    if claimed > MAX_EXPANDED_BYTES:
        raise NotPlainError("it has tensors that claim more numbers than they store")


def _reach(array: Array) -> int:
    """Return how many numbers there are from the first to the last one of a view."""
    pairs = zip(array.shape, array.strides, strict=True)
    return 1 + int(sum((size - 1) * (stride // array.itemsize) for size, stride in pairs))


def pth_bytes(state: Mapping[str, Array]) -> bytes:
    """Return the file of a state_dict as torch.load reads it, also with mmap=True; the same bytes on every machine.

    Args:
        state: float32 or float64 arrays by name.

    Raises:
        LinregError: the arrays are too large for one archive.
    """
    if sum(array.nbytes for array in state.values()) > LARGEST_BYTES:
        raise LinregError("the state_dict takes more than 4 GB, expected less; save it with torch.save")
    records = {
        "data.pkl": _pickled(state),
        ".format_version": b"1",
        ".storage_alignment": str(ALIGNMENT).encode(),
        "byteorder": b"little",
        **{f"data/{place}": _little_endian(array).tobytes() for place, array in enumerate(state.values())},
        "version": b"3\n",
    }
    return _archive({f"archive/{name}": content for name, content in records.items()})


def _archive(records: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of uncompressed records, with the padding that torch writes."""
    body, directory = bytearray(), bytearray()
    for name, content in records.items():
        start = len(body)
        shared = (0, UTF8_FLAG, 0, 0, FIRST_DAY)
        sums = (zlib.crc32(content), len(content), len(content))
        padding = -(start + LOCAL.size + len(name) + 4) % ALIGNMENT
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        body += LOCAL.pack(b"PK\x03\x04", *shared, *sums, len(name), len(extra)) + name.encode() + extra + content
        directory += CENTRAL.pack(b"PK\x01\x02", 0, *shared, *sums, len(name), 0, 0, 0, 0, 0, start) + name.encode()
    count = len(records)
    return bytes(body + directory + END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0))


def _pickled(state: Mapping[str, Array]) -> bytes:
    """Return the pickle of a state_dict, in the instructions that `linreg.state_pickle` reads."""
    items = b"".join(_text(name) + _tensor(str(place), array) for place, (name, array) in enumerate(state.items()))
    return b"\x80\x02}(" + items + b"u."


def _tensor(key: str, array: Array) -> bytes:
    storage = next(name for name, dtype in STORAGES.items() if _little_endian(array).dtype == np.dtype(dtype))
    strides = [1]
    for size in array.shape[:0:-1]:
        strides.insert(0, strides[0] * size)
    identifier = _text("storage") + _name("torch", storage) + _text(key) + _text("cpu") + _whole(array.size)
    return (
        _name("torch._utils", "_rebuild_tensor_v2")
        + b"(("
        + identifier
        + b"tQ"
        + _whole(0)
        + b"("
        + _whole(*array.shape)
        + b"t("
        + _whole(*strides[: array.ndim])
        + b"t"
        + b"\x89"
        + _name("collections", "OrderedDict")
        + b")RtR"
    )


def _little_endian(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _whole(*numbers: int) -> bytes:
    return b"".join(b"J" + struct.pack("<i", number) for number in numbers)
