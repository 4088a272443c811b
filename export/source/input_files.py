"""Read sets of inputs from .npz, .npy and .pt files, without running code, or from a user's function."""

import io
import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from export.source.factory import call_factory
from export.source.given_inputs import GivenInputs, checked_array, given_inputs, several_sets
from export.source.place import Place, find_place
from export.source.python_file import imports_of
from export.source.user_code import users_code
from export.source.user_module import MadeModule, load_name
from linreg.archive import is_archive, read_archive
from linreg.config import MAX_INPUT_BYTES
from linreg.errors import ExportError, ModelError, one_line
from linreg.escaping import printable
from linreg.files import read_bytes
from linreg.state_reading import storage_problem

Array = NDArray[Any]

MAX_SETS = 100
"""A function that gives more sets than this is refused: every set is proved."""

POSITIONAL = re.compile(r"arr_[0-9]+")
"""The names that np.savez gives to arrays without names."""

MAX_HEADER_BYTES = 10_000
EXPECTED = "expected an .npz or .npy file of NumPy, a .pt file of torch.save, or FILE.py:NAME of a function"


def own_sets(made: MadeModule, texts: tuple[str, ...]) -> list[GivenInputs]:
    """Return the sets of inputs that belong to a module.

    Args:
        made: the module, with the example that its factory returned and the `make_inputs` of its file.
        texts: the values of `--inputs`: files, or places of functions. If there are none, the example and
            `make_inputs` are used.

    Raises:
        ExportError: a file or function gives something else than inputs.
    """
    if texts:
        return [given for text in texts for given in read_inputs(text)]
    sets = [] if made.example is None else given_inputs(made.example, f"the example of {made.place}")
    return sets if made.make_inputs is None else [*sets, *_called(made.make_inputs, made.place.beside("make_inputs"))]


def read_inputs(text: str) -> list[GivenInputs]:
    """Read the inputs that `--inputs` names.

    Raises:
        ExportError: there is no such file or function, or it gives something else than inputs.
        LinregError: the file cannot be read.
    """
    path = Path(text)
    if not path.exists() and ":" in text:
        found = find_place(text, "--inputs", "a function that gives inputs")
        made = load_name(text, "--inputs", "a function that gives inputs")
        return _called(made, found) if callable(made) else given_inputs(made, text)
    data = read_bytes(path, limit=MAX_INPUT_BYTES)
    name = printable(text)
    if data.startswith(npy.MAGIC_PREFIX):
        return [GivenInputs(name=name, arrays=(_npy(name, "the array", data),))]
    if not is_archive(data):
        raise ExportError(f"{name}: is not a file of inputs, {EXPECTED}")
    if b"data.pkl" in data:
        return given_inputs(_torch_file(name, data), name)
    return [_npz(name, data)]


def _called(made: Any, found: Place) -> list[GivenInputs]:
    """Call a function, and return the sets that it gives; a generator may give several."""
    value = call_factory(made, found, option="--inputs")
    name = f"{found}()"
    if not isinstance(value, Iterator):
        return given_inputs(value, name)
    with users_code(f"{name}: cannot give its inputs", file=found.file.resolve()), imports_of(found):
        values = list(islice(value, MAX_SETS + 1))
    if len(values) > MAX_SETS:
        raise ExportError(f"{name}: gives more than {MAX_SETS} sets, and every one is proved; give fewer")
    if not values:
        raise ExportError(f"{name}: gives no inputs; yield at least one set, or leave it out")
    return given_inputs(values[0], name) if len(values) == 1 else several_sets(values, name)


def _npz(name: str, data: bytes) -> GivenInputs:
    """Read an archive of arrays. What it unpacks to is limited like the file itself."""
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_INPUT_BYTES:
                raise ExportError(f"{name}: unpacks to more than the limit of {MAX_INPUT_BYTES} bytes")
            for member in members:
                key = member.filename.removesuffix(".npy")
                if key == member.filename or key in arrays:
                    raise ExportError(f"{name}: holds {_quoted(member.filename)}, expected one .npy for each argument")
                arrays[key] = _npy(name, _quoted(key), archive.read(member))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise ExportError(f"{name}: is not an .npz file, or is damaged: {one_line(error)}") from None
    if not arrays:
        raise ExportError(f"{name}: holds no array, expected one for each argument of forward")
    if all(POSITIONAL.fullmatch(key) for key in arrays):
        return GivenInputs(name=name, arrays=tuple(arrays[f"arr_{place}"] for place in range(len(arrays))))
    return GivenInputs(name=name, arrays=arrays)


def _npy(name: str, which: str, data: bytes) -> Array:
    """Read an array; its size must be what its header says, and Python objects are refused."""
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format")
        shape, fortran, dtype = read_header(stream, max_header_size=MAX_HEADER_BYTES)
    except (ValueError, EOFError, TypeError, RecursionError, MemoryError) as error:
        raise ExportError(f"{name}: {which} is not an array of NumPy: {one_line(error)}") from None
    if dtype.hasobject:
        raise ExportError(f"{name}: {which} holds Python objects, which are not read; save an array of numbers")
    content = memoryview(data)[stream.tell() :]
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content):
        raise ExportError(f"{name}: {which} does not have the size that its header says; save it again")
    array = np.frombuffer(content, dtype, count).reshape(shape, order="F" if fortran else "C")
    return checked_array(array, name, which)


def _torch_file(name: str, data: bytes) -> Any:
    """Unpickle a file of torch.save with weights_only=True, and check that its tensors hold what they claim."""
    try:
        read_archive(name, data)
    except ModelError as error:
        raise ExportError(str(error)) from None
    try:
        with warnings.catch_warnings():  # a sparse tensor, of which torch warns, is refused below
            warnings.simplefilter("ignore")
            value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes here, and its message advises turning weights_only off
        kind = re.search(r"GLOBAL ([\w.]+)", str(error))
        held = f"holds {kind[1][:80]!r}" if kind else "holds more than tensors, or is damaged"
        raise ExportError(f"{name}: {held}; save a dict of tensors: torch.save(dict(batch), FILE)") from None
    _check_tensors(name, value)
    return value


def _check_tensors(name: str, value: Any, depth: int = 0) -> None:
    """Refuse tensors that claim more numbers than they hold, such as an expanded view of one number."""
    if isinstance(value, Tensor) and (problem := storage_problem(value.detach())):
        raise ExportError(f"{name}: a tensor {problem}")
    if isinstance(value, dict | list | tuple) and depth < 3:
        for item in value.values() if isinstance(value, dict) else value:
            _check_tensors(name, item, depth + 1)


def _quoted(text: str) -> str:
    return f"'{printable(text[:60])}'"
