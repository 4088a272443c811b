"""Turn the models that `bench` accepts into paths from which a fresh process can load them."""

import inspect
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from linreg.errors import LinregError
from linreg.folders import work_folder


class Saveable(Protocol):
    """A model that can be saved as a bundle."""

    def save(self, folder: str | os.PathLike[str], /) -> object:
        """Save the model as a bundle in a folder."""


Model = str | os.PathLike[str] | Callable[[], object] | Saveable
"""A bundle or .pth file, `FILE.py:NAME`, a function or class that makes a module, or a fitted model."""


IMPORTABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""`package.module:NAME`."""


def argument_texts(args: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return arguments by name as texts such as `hidden=64`, which a fresh process can parse.

    Raises:
        LinregError: `args` is not a mapping, or JSON cannot hold a value.
    """
    if args is not None and not isinstance(args, Mapping):
        raise LinregError(f"args: got {type(args).__name__}, expected arguments by name such as {{'hidden': 64}}")
    try:
        return tuple(f"{name}={json.dumps(value)}" for name, value in (args or {}).items())
    except (TypeError, ValueError) as error:
        raise LinregError(f"args: every process calls the function anew, with values in JSON: {error}") from None


@contextmanager
def located(model: Model) -> Iterator[tuple[Path | None, str]]:
    """Yield where to load a model from: (path, "") for a bundle or .pth file, or (None, `FILE.py:NAME`).

    A fitted model is saved to a temporary folder, which is removed after the block.

    Raises:
        LinregError: the model is a module instance, a function that another process cannot import, or not a model.
    """
    if isinstance(model, str | os.PathLike):
        text = os.fspath(model)
        if (".py:" in text or IMPORTABLE.fullmatch(text)) and not Path(text).exists():
            yield None, text
        else:
            yield Path(text), ""
    elif _is_module(model):
        raise LinregError(
            f"{type(model).__name__}: got a module, expected the function or class that makes it, since every row is "
            "timed on its own module; or export it and benchmark the bundle"
        )
    elif callable(model):
        yield None, place_of(model)
    elif not hasattr(model, "save"):
        raise LinregError(
            f"model: got {type(model).__name__}, expected a bundle, a fitted model, or a function that makes a module"
        )
    else:
        with work_folder("linreg-bench-") as folder:
            path = folder / "model"
            model.save(path)
            yield path, ""


def place_of_module(module: str | Callable[[], object], bundle: Path | None) -> str:
    """Return the `FILE.py:NAME` of the code of a bundle's module.

    Raises:
        LinregError: there is no bundle, or another process cannot import the code.
    """
    if bundle is None:
        raise LinregError("module: belongs to a bundle, and the model is code already; leave it out")
    if _is_module(module):
        raise LinregError("module: got a module, expected the function or class that makes it, or FILE.py:NAME")
    return module if isinstance(module, str) else place_of(module)


def place_of(factory: Callable[[], object]) -> str:
    """Return the `FILE.py:NAME` of a function or class.

    Raises:
        LinregError: the factory is not defined at the top level of a .py file.
    """
    name = getattr(factory, "__qualname__", "")
    try:
        file = inspect.getsourcefile(factory)
    except (TypeError, OSError):
        file = None
    if not name.isidentifier() or file is None or not Path(file).is_file() or not file.endswith(".py"):
        raise LinregError(
            f"{name or repr(factory)}: expected a function or class at the top level of a .py file, since every "
            "process makes its own module; move it into a file"
        )
    return f"{file}:{name}"


def _is_module(model: object) -> bool:
    from torch import nn

    return isinstance(model, nn.Module)
