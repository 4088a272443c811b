"""Load the user's own module, such as `nets.py:make_net`, its state_dict and its inputs.

Loading a Python file runs it. Nothing here can make that safe, so the command line says so.
"""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from export.source.input_text import split_input
from export.source.inputs import Input
from export.source.place import find_place, near_names
from export.source.python_file import imports_beside, run_file
from export.source.unfit import ALREADY_EXPORTED, check_module
from export.source.unwrapping import unwrap
from export.source.user_code import users_code
from linreg.errors import ExportError, ModelError
from linreg.state_loading import load_into
from linreg.state_reading import load_state

MODULE = "a module, or of a function that makes one"


@dataclass(frozen=True, kw_only=True)
class MadeModule:
    """A user's module.

    Attributes:
        module: the module itself.
        notes: what was done to the module that the user may not expect, one line each.
    """

    module: nn.Module
    notes: tuple[str, ...] = ()


def load_module(place: str, state_dict: Path | None) -> nn.Module:
    """Run a Python file, make its module, and load a state_dict into it.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.
        state_dict: path of a state_dict file; None keeps the initial parameters.

    Raises:
        ExportError: the file or the name does not exist, or does not give a module that can be exported.
        ModelError: the state_dict does not belong to this module.
    """
    module = make_module(place).module
    if state_dict is not None:
        load_file_into(module, state_dict)
    return module


def make_module(place: str) -> MadeModule:
    """Run a Python file and make its module.

    Wrappers of torch.compile, DataParallel and AveragedModel are removed, so the state_dict has the keys of the inner
    module.

    Args:
        place: `FILE.py:NAME`; NAME is a module, or a function or class that makes one without arguments.

    Raises:
        ExportError: the file or the name does not exist, or does not give a module that can be exported.
    """
    made = load_name(place)
    if not isinstance(made, (nn.Module, *ALREADY_EXPORTED)):
        made = call_without_arguments(made, place)
    if not isinstance(made, (nn.Module, *ALREADY_EXPORTED)):
        raise ExportError(f"{place}: gives {type(made).__name__}, expected a torch.nn.Module")
    inside, around = unwrap(check_module(made))
    notes = (f"{place}: unwrapping {', '.join(around)}",) if around else ()
    return MadeModule(module=inside, notes=notes)


def load_file_into(module: nn.Module, path: Path) -> tuple[str, ...]:
    """Load a state_dict file, written by torch.save or safetensors, into a module.

    Returns:
        Messages that say what was left out, stripped, converted or migrated.

    Raises:
        ModelError: the file cannot be loaded, or its state_dict does not belong to this module.
    """
    state = load_state(path)
    try:
        return load_into(module, state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def load_name(place: str, option: str = "--module", expected: str = MODULE) -> Any:
    """Run a file, and return what `FILE.py:NAME` names.

    Args:
        place: `FILE.py:NAME`.
        option: the command-line option, used in error messages.
        expected: what the name should refer to, used in error messages.

    Raises:
        ExportError: the file or the name does not exist.
    """
    found = find_place(place, option, expected)
    module = run_file(found.file.resolve(), option)
    if not hasattr(module, found.name):
        near = near_names(found.file, found.name, [name for name in vars(module) if not name.startswith("_")])
        raise ExportError(f"{found.file}: has no {found.name!r}; expected FILE.py:NAME of {expected}{near}")
    return getattr(module, found.name)


def call_without_arguments(made: Any, place: str, option: str = "--module") -> Any:
    """Call a user's function or class; its imports find the modules beside its file.

    Args:
        made: the function or class that `place` names.
        place: `FILE.py:NAME`.
        option: the command-line option, used in error messages.

    Raises:
        ExportError: the function or class needs arguments, or raises an exception.
    """
    found = find_place(place, option, MODULE)
    what = f"{place}: cannot be called without arguments"
    if needed := _needed_arguments(made):
        call = f"{found.name}({', '.join(f'{name}=...' for name in needed)})"
        raise ExportError(f"{what} (it needs {', '.join(needed)}); write a function that passes them: return {call}")
    file = found.file.resolve()
    with users_code(what, file=file), imports_beside(file):
        return made()


def _needed_arguments(made: Any) -> list[str]:
    try:
        parameters = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):  # it is not a function, or its signature is not known
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [entry.name for entry in parameters if entry.default is entry.empty and entry.kind not in variable]


def parse_input(text: str) -> Input:
    """Parse an input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for integers below 100.

    Raises:
        ExportError: the text has another form.
    """
    parts = split_input(text)
    dtype = np.dtype(parts.dtype)
    return Input(name=parts.name, dtype=dtype, shape=parts.shape, below=parts.below, least=parts.least, axes=parts.axes)
