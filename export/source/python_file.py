"""Run a user's Python file as a module, whatever its name and wherever it is."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

from export.source.place import Place
from export.source.user_code import INTERRUPTIONS, described
from linreg.errors import ExportError


def run_file(path: Path, option: str) -> ModuleType:
    """Run a file; every call runs it again.

    Scripting and pickling look up a class by the name of its module, so the module is put into `sys.modules` under the
    name of the file, with underscores appended if another module has that name. A file with relative imports is run as
    part of its package.

    Args:
        path: absolute path of the file.
        option: the command-line option, used in error messages.

    Raises:
        ExportError: the file cannot be run.
    """
    package, root = _package(path, option)
    name = f"{package}.{path.stem}" if package else _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ExportError(f"{option}: {path} is not a Python file; expected FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with imports_beside(path, root):
            if package:
                importlib.import_module(package)
            spec.loader.exec_module(module)
    except BaseException as error:  # the user's code may raise anything
        sys.modules.pop(name, None)
        if isinstance(error, INTERRUPTIONS):
            raise
        raise ExportError(f"{path}: cannot be run: {described(error, path)}") from error
    return module


def import_module(found: Place) -> ModuleType:
    """Import the module of `package.module:NAME`, once per process.

    Raises:
        ExportError: the module cannot be imported.
    """
    try:
        with imports_of(found):
            return importlib.import_module(found.module)
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # the user's code may raise anything
        raise ExportError(f"{found.module}: cannot be imported: {described(error, found.file)}") from error


def imports_of(found: Place) -> AbstractContextManager[None]:
    """Let imports find the modules beside the file of a place, or in the current folder if it is importable."""
    return imports_beside(found.file.resolve(), Path.cwd() if found.module else None)


@contextmanager
def imports_beside(path: Path, root: Path | None = None) -> Iterator[None]:
    """Let imports find the modules beside a file, or those in `root`, as they do in a script."""
    folder = str(root or path.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the user's code may have changed it
            sys.path.remove(folder)


def _free_name(path: Path) -> str:
    """Return a module name for a file that does not shadow a module of Python, an installed package or linreg."""
    name = path.stem
    while _is_of_another(name, path):
        name += "_"
    return name


def _is_of_another(name: str, path: Path) -> bool:
    if name in sys.modules:
        return not _is_file(getattr(sys.modules[name], "__file__", None), path)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # the name has a dot, or is in sys.modules without a spec
        return False
    return spec is not None and not _is_file(spec.origin, path)


def _is_file(name: str | None, path: Path) -> bool:
    return name is not None and Path(name).resolve() == path.resolve()


def _package(path: Path, option: str) -> tuple[str, Path | None]:
    """Return the package of a file with relative imports, and the folder that holds it; '' and None for other files.

    Raises:
        ExportError: the file is not in a package, or an installed package has the same name.
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
            f"{option}: {path} imports relatively (from . import ..), but {path.parent} is not a package: write import "
            "without the dot, or put an __init__.py there"
        )
    if _is_of_another(names[0], folder / names[0] / "__init__.py"):
        raise ExportError(
            f"{option}: the package {names[0]} of {path} has the name of an installed package; rename its folder"
        )
    return ".".join(names), folder


def _has_relative_imports(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # running it will say so
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))
