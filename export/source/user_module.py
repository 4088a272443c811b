"""Load the user's own module, such as `nets.py:make_net`, its state_dict and its inputs.

Loading a Python file runs it. Nothing here can make that safe, so the command line says so.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

from export.source.factory import call_factory, needed_arguments, parse_arguments
from export.source.input_text import split_input
from export.source.inputs import Input
from export.source.place import MODULE, Place, find_place, near_names
from export.source.python_file import import_module, run_file
from export.source.unfit import ALREADY_EXPORTED, check_module
from export.source.unwrapping import unwrap
from export.source.user_code import users_code
from linreg.errors import ExportError, ModelError
from linreg.state_loading import load_into
from linreg.state_reading import load_state

MODULES = (nn.Module, *ALREADY_EXPORTED)


@dataclass(frozen=True, kw_only=True)
class MadeModule:
    """A user's module.

    Attributes:
        module: the module itself.
        notes: what was done to the module that the user may not expect, one line each.
        place: where it was made.
        example: the inputs that the factory returned beside the module; None if it returned none.
        make_inputs: the function of this name in the same file, if it needs no arguments; None if there is none, or if
            the module was imported by name.
    """

    module: nn.Module
    place: Place
    notes: tuple[str, ...] = ()
    example: Any = None
    make_inputs: Callable[[], Any] | None = None


def load_module(place: str, state_dict: Path | None, arguments: Sequence[str] = ()) -> nn.Module:
    """Make a user's module, and load a state_dict into it.

    Args:
        place: as for `make_module`.
        state_dict: path of a state_dict file; None keeps the initial parameters.
        arguments: as for `make_module`.

    Raises:
        ExportError: the file or the name does not exist, or does not give a module that can be exported.
        ModelError: the state_dict does not belong to this module.
    """
    module = make_module(place, arguments).module
    if state_dict is not None:
        load_file_into(module, state_dict)
    return module


def make_module(place: str, arguments: Sequence[str] = ()) -> MadeModule:
    """Run a Python file, or import a module, and make the user's module.

    Wrappers of torch.compile, DataParallel and AveragedModel are removed, so the state_dict has the keys of the inner
    module.

    Args:
        place: `FILE.py:NAME` or `package.module:NAME`; NAME is a module, or a function or class that makes one. A
            function may also return the pair of a module and an example of its inputs.
        arguments: arguments of the function or class, each `NAME=VALUE` with a value in JSON or a bare text.

    Raises:
        ExportError: the file or the name does not exist, or does not give a module that can be exported.
    """
    found = find_place(place, "--module", MODULE)
    code, given = _run(found, "--module"), parse_arguments(arguments)
    made = _named(code, found, MODULE)
    if isinstance(_apart(made)[0], MODULES):
        if given:
            raise ExportError(f"--arg: {place} is a module already, which takes no arguments; leave --arg out")
        if found.module:  # imported once, but every caller needs a module of its own
            with users_code(f"{place}: cannot be copied", remedy="name a function that makes it"):
                made = copy.deepcopy(made)
    else:
        made = call_factory(made, found, given)
    made, example = _apart(made)
    if not isinstance(made, MODULES):
        raise ExportError(f"{place}: gives {type(made).__name__}, expected a torch.nn.Module")
    inside, around = unwrap(check_module(made))
    notes = (f"{place}: unwrapping {', '.join(around)}",) if around else ()
    make_inputs = None if found.module else getattr(code, "make_inputs", None)
    if not callable(make_inputs) or needed_arguments(make_inputs):
        make_inputs = None
    return MadeModule(module=inside, place=found, notes=notes, example=example, make_inputs=make_inputs)


def _apart(made: Any) -> tuple[Any, Any]:
    """Split what a factory returned into the module and the example of its inputs; None if there is none."""
    return made if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], MODULES) else (made, None)


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
    """Run a file, or import a module, and return what a place names.

    Args:
        place: `FILE.py:NAME` or `package.module:NAME`.
        option: the command-line option, used in error messages.
        expected: what the name should refer to, used in error messages.

    Raises:
        ExportError: the file or the name does not exist.
    """
    found = find_place(place, option, expected)
    return _named(_run(found, option), found, expected)


def _run(found: Place, option: str) -> ModuleType:
    return import_module(found) if found.module else run_file(found.file.resolve(), option)


def _named(module: ModuleType, found: Place, expected: str) -> Any:
    if not hasattr(module, found.name):
        near = near_names(found, [name for name in vars(module) if not name.startswith("_")])
        raise ExportError(f"{found.code}: has no {found.name!r}; expected FILE.py:NAME of {expected}{near}")
    return getattr(module, found.name)


def parse_input(text: str) -> Input:
    """Parse an input such as `x=float32[batch,16]`, or `ids=int64[batch,8]<100` for integers below 100.

    Raises:
        ExportError: the text has another form.
    """
    parts = split_input(text)
    dtype = np.dtype(parts.dtype)
    return Input(
        name=parts.name,
        dtype=dtype,
        shape=parts.shape,
        below=parts.below,
        least=parts.least,
        prefix=parts.prefix,
        axes=parts.axes,
    )
