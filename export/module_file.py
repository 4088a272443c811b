"""A module of the user's own: `nets.py:make_net`, its state_dict, and what it takes.

Loading somebody's Python file runs it; nothing here can make that safe, so the command line says so.
"""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

from export.inputs import Input
from linreg.errors import ExportError, ModelError, one_line
from linreg.state_dict import load_state
from linreg.state_loading import load_into

INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<dtype>\w+)\[(?P<shape>[^\]]*)\](?:<(?P<below>[0-9]+))?")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def load_module(place: str, state_dict: Path | None) -> nn.Module:
    """Run a Python file, make its module, and load a state_dict into it.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.
        state_dict: a state_dict; None keeps the parameters that the module is made with.

    Raises:
        ExportError: the file or the name is not there, or does not give a module.
        ModelError: the state_dict is not one of this module.
    """
    module = make_module(place)
    if state_dict is not None:
        load_file_into(module, state_dict)
    return module


def make_module(place: str) -> nn.Module:
    """Run a Python file and make its module.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.

    Raises:
        ExportError: the file or the name is not there, or does not give a module.
    """
    made = load_name(place)
    if not isinstance(made, nn.Module):
        try:
            made = made()
        except (Exception, SystemExit) as error:  # whatever the user's code raises
            raise ExportError(
                f"{place}: cannot be made without arguments: {type(error).__name__}: {one_line(error)}"
            ) from error
    if not isinstance(made, nn.Module):
        raise ExportError(f"{place}: gives {type(made).__name__}, expected a torch.nn.Module")
    return made


def load_file_into(module: nn.Module, path: Path) -> tuple[str, ...]:
    """Load a file into a module: a state_dict as people have them, of torch.save or of safetensors.

    Returns:
        What was left out, stripped, converted or migrated, for people.

    Raises:
        ModelError: it is not one of this module.
    """
    state = load_state(path)
    try:
        return load_into(module, state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def load_name(place: str, option: str = "--module", expected: str = "a module, or of a function that makes one") -> Any:
    """What `FILE.py:NAME` names; the file is run.

    Args:
        place: `FILE.py:NAME`.
        option: with which it was named, for the message of an error.
        expected: what it should be, for the same.

    Raises:
        ExportError: the file or the name is not there.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise ExportError(f"{option}: got {place!r}, expected FILE.py:NAME of a file that is there")
    module = _run(path.resolve(), option)
    if not hasattr(module, name):
        raise ExportError(f"{path}: has no {name!r}; expected FILE.py:NAME of {expected}")
    return getattr(module, name)


def parse_input(text: str) -> Input:
    """An input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for whole numbers below 100.

    Raises:
        ExportError: it is not of this form.
    """
    expected = "expected NAME=DTYPE[batch,SIZE,..] such as x=float32[batch,16], or ids=int64[batch,8]<100"
    match = INPUT.fullmatch(text.strip())
    if match is None or match["dtype"] not in DTYPES:
        raise ExportError(f"--input: got {text!r}, {expected} with a dtype of {', '.join(DTYPES)}")
    sizes = [size.strip() for size in match["shape"].split(",")]
    if not all(size == "batch" or (size.isascii() and size.isdigit() and int(size) > 0) for size in sizes):
        raise ExportError(f"--input: got {text!r}, {expected}")
    if "batch" in sizes[1:]:
        raise ExportError(f"--input: got {text!r}, expected batch as the first axis only")
    shape = tuple(None if size == "batch" else int(size) for size in sizes)
    below = 2 if match["dtype"] == "bool" or match["below"] is None else int(match["below"])
    dtype = np.dtype(match["dtype"])
    if dtype.kind in "iu" and not 1 <= below <= int(np.iinfo(dtype).max) + 1:
        raise ExportError(f"--input: got {text!r}, expected a limit from 1 to {int(np.iinfo(dtype).max) + 1}")
    return Input(name=match["name"], dtype=dtype, shape=shape, below=below)


def _run(path: Path, option: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ExportError(f"{option}: {path} is no Python file; expected FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) != str(path):
        raise ExportError(f"{option}: {path} is called as a module that is loaded already; rename the file")
    # Scripting and pickling look a class up by the name of its module; imports beside the file work as in a script.
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise ExportError(f"{path}: cannot be run: {type(error).__name__}: {one_line(error)}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return module
