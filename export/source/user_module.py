"""A module of the user's own: `nets.py:make_net`, its state_dict, and what it takes.

Loading somebody's Python file runs it; nothing here can make that safe, so the command line says so.
"""

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from export.source.inputs import Input
from export.source.place import find_place, near_names
from export.source.python_file import imports_beside, run_file
from export.source.unfit import ALREADY_EXPORTED, check_module
from export.source.unwrapping import unwrap
from export.source.user_code import users_code
from linreg.errors import ExportError, ModelError
from linreg.state_loading import load_into
from linreg.state_reading import load_state

INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<dtype>\w+)\[(?P<shape>[^\]]*)\](?:<(?P<below>[0-9]+))?")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
MODULE = "a module, or of a function that makes one"


@dataclass(frozen=True, kw_only=True)
class MadeModule:
    """A module of the user's own.

    Attributes:
        module: itself.
        notes: what was done to it that its user may not expect, a line each.
    """

    module: nn.Module
    notes: tuple[str, ...] = ()


def load_module(place: str, state_dict: Path | None) -> nn.Module:
    """Run a Python file, make its module, and load a state_dict into it.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.
        state_dict: a state_dict; None keeps the parameters that the module is made with.

    Raises:
        ExportError: the file or the name is not there, or does not give a module that can be exported.
        ModelError: the state_dict is not one of this module.
    """
    module = make_module(place).module
    if state_dict is not None:
        load_file_into(module, state_dict)
    return module


def make_module(place: str) -> MadeModule:
    """Run a Python file and make its module.

    What torch.compile, DataParallel or AveragedModel put around a module is taken off: the keys of its state_dict are
    those of the module inside.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.

    Raises:
        ExportError: the file or the name is not there, or does not give a module that can be exported.
    """
    made = load_name(place)
    if not isinstance(made, (nn.Module, *ALREADY_EXPORTED)):
        made = call_without_arguments(made, place)
    if not isinstance(made, (nn.Module, *ALREADY_EXPORTED)):
        raise ExportError(f"{place}: gives {type(made).__name__}, expected a torch.nn.Module")
    inside, around = unwrap(check_module(made))
    notes = (f"{place}: taking off {', '.join(around)}, for the module inside",) if around else ()
    return MadeModule(module=inside, notes=notes)


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


def load_name(place: str, option: str = "--module", expected: str = MODULE) -> Any:
    """What `FILE.py:NAME` names; the file is run.

    Args:
        place: `FILE.py:NAME`.
        option: with which it was named, for the message of an error.
        expected: what it should be, for the same.

    Raises:
        ExportError: the file or the name is not there.
    """
    found = find_place(place, option, expected)
    module = run_file(found.file.resolve(), option)
    if not hasattr(module, found.name):
        near = near_names(found.file, found.name, [name for name in vars(module) if not name.startswith("_")])
        raise ExportError(f"{found.file}: has no {found.name!r}; expected FILE.py:NAME of {expected}{near}")
    return getattr(module, found.name)


def call_without_arguments(made: Any, place: str, option: str = "--module") -> Any:
    """What a function or class of the user's gives; imports inside of it find what stands beside its file.

    Args:
        made: what `place` names.
        place: `FILE.py:NAME`.
        option: with which it was named, for the message of an error.

    Raises:
        ExportError: it needs arguments, or raises.
    """
    found = find_place(place, option, MODULE)
    what = f"{place}: cannot be made without arguments"
    if needed := _needed_arguments(made):
        call = f"{found.name}({', '.join(f'{name}=...' for name in needed)})"
        raise ExportError(f"{what}: needs {', '.join(needed)}; write a function that gives them: return {call}")
    file = found.file.resolve()
    with users_code(what, file=file), imports_beside(file):
        return made()


def _needed_arguments(made: Any) -> list[str]:
    try:
        parameters = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):  # it is no function, or does not say what it takes
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [entry.name for entry in parameters if entry.default is entry.empty and entry.kind not in variable]


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
