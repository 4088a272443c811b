"""Run a Python file of the user's as a module, whatever it is called and wherever it stands."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from export.source.user_code import INTERRUPTIONS, told
from linreg.errors import ExportError


def run_file(path: Path, option: str) -> ModuleType:
    """Run a file, each time anew.

    Scripting and pickling look a class up by the name of its module, so it is among `sys.modules`: under the name of
    the file, with underscores behind it where that is the name of another module. A file with relative imports is run
    as part of its package.

    Args:
        path: of the file, absolute.
        option: with which it was named, for the message of an error.

    Raises:
        ExportError: it cannot be run.
    """
    package, root = _package(path, option)
    name = f"{package}.{path.stem}" if package else _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ExportError(f"{option}: {path} is no Python file; expected FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with imports_beside(path, root):
            if package:
                importlib.import_module(package)
            spec.loader.exec_module(module)
    except BaseException as error:  # whatever the user's code raises
        sys.modules.pop(name, None)
        if isinstance(error, INTERRUPTIONS):
            raise
        raise ExportError(f"{path}: cannot be run: {told(error, path)}") from error
    return module


@contextmanager
def imports_beside(path: Path, root: Path | None = None) -> Iterator[None]:
    """Let imports find what stands beside a file, or in `root`, as in a script."""
    folder = str(root or path.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # what the user's code does to it is theirs
            sys.path.remove(folder)


def _free_name(path: Path) -> str:
    """The name of a file as a module that hides no other, of Python's, of an installed package or of ours."""
    name = path.stem
    while _is_of_another(name, path):
        name += "_"
    return name


def _is_of_another(name: str, path: Path) -> bool:
    if name in sys.modules:
        return not _is_file(getattr(sys.modules[name], "__file__", None), path)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # it has a dot, or stands there without a spec
        return False
    return spec is not None and not _is_file(spec.origin, path)


def _is_file(name: str | None, path: Path) -> bool:
    return name is not None and Path(name).resolve() == path.resolve()


def _package(path: Path, option: str) -> tuple[str, Path | None]:
    """The package of a file with relative imports, and the folder that it is imported from; none for another file.

    Raises:
        ExportError: there is no package, or another one of its name.
    """
    if not _has_relative_imports(path):
        return "", None
    names: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if not names:
        raise ExportError(
            f"{option}: {path} imports relatively (from . import ..), but {path.parent} is no package: write import "
            "without the dot, or put an __init__.py there"
        )
    if _is_of_another(names[0], folder / names[0] / "__init__.py"):
        raise ExportError(
            f"{option}: the package {names[0]} of {path} is called as another that is installed; rename its folder"
        )
    return ".".join(names), folder


def _has_relative_imports(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # running it will say so
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))
