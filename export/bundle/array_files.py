"""Read arrays by name from .npz and .npy files, and write them to .npz."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.config import MAX_ARRAYS_BYTES, MAX_STATE_BYTES
from linreg.errors import DataError, one_line
from linreg.files import read_bytes

Array = NDArray[Any]


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Read arrays by name; nothing is unpickled.

    Args:
        path: an .npz, or an .npy, which has no name: it gets that of the only input.
        names: the names of all inputs.

    Raises:
        DataError: the file is not of this format, holds Python objects, or would take too much memory.
        LinregError: the file cannot be read.
    """
    stream = io.BytesIO(read_bytes(path, limit=MAX_STATE_BYTES))
    try:
        if zipfile.is_zipfile(stream):
            unpacked = sum(entry.file_size for entry in zipfile.ZipFile(stream).infolist())
            if unpacked > MAX_ARRAYS_BYTES:
                raise ValueError(f"its arrays take {unpacked} bytes, expected at most {MAX_ARRAYS_BYTES}")
        stream.seek(0)
        found = np.load(stream, allow_pickle=False)
        arrays = {"": found} if isinstance(found, np.ndarray) else dict(found)
    except Exception as error:  # of zipfile, zlib and NumPy
        raise DataError(
            f"{path}: is not a readable file of arrays: {one_line(error)}; write it with numpy.savez"
        ) from None
    if "" in arrays and len(arrays) == 1:
        if len(names) != 1:
            raise DataError(
                f"{path}: holds one array without a name, expected {', '.join(names)}; write an .npz with numpy.savez"
            )
        return {names[0]: arrays[""]}
    return arrays


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as an .npz whose bytes depend on nothing else; names may be any text, unlike with numpy.savez."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()
