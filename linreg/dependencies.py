"""The packages that linreg depends on, and what to install if one is missing or cannot be imported.

torch, onnxscript and matplotlib are extras, which only some commands need. `pip install --no-deps` leaves out the
others too; an .onnx file can then still be verified.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from traceback import walk_tb

from linreg.errors import one_line

DEPENDENCIES = (
    "torch",
    "numpy",
    "scipy",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "pyarrow",
    "matplotlib",
    "jinja2",
    "msgspec",
    "rich",
    "typer",
)
"""As in pyproject.toml, with its extra `all`; each is imported under the name that pip installs it by."""


OPTIONAL = {"ray": "ray==2.60.0"}
"""What the extras of a single option bring, and its requirement for pip."""


def missing_packages() -> list[str]:
    """Return the packages that are not installed."""
    return [name for name in DEPENDENCIES if not _is_installed(name)]


def broken_packages() -> dict[str, str]:
    """Import every package that is installed; return those that fail, with their errors."""
    broken = {}
    for name in (*DEPENDENCIES, *OPTIONAL):
        if not _is_installed(name):
            continue
        try:
            import_module(name)
        except Exception as error:  # whatever the package raises
            broken[name] = _described(error)
    return broken


def package_message(error: Exception, caller: str) -> str | None:
    """Return one line that names a package that is missing or broken, and the command that installs it.

    Args:
        error: the error that an import in linreg's own code raised; imports in a user's module are reported elsewhere,
            with the name of the module's file.
        caller: what needs the package, such as `linreg train`, or `linreg.fit` in Python.

    Returns:
        The line, or None if the error has nothing to do with the packages that linreg depends on.
    """
    if (package := _being_imported(error)) is not None:
        return (
            f"{caller} needs {package}, which is installed but cannot be imported: {_described(error)}; "
            f"install it again: {_installing(package, again=True)}"
        )
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = (error.name or "").partition(".")[0]
    if package in OPTIONAL:
        return (
            f"{caller} --engine {package} needs {package}, which is not installed; install it with: "
            f"{_installing(package)}"
        )
    if package not in DEPENDENCIES:
        return None
    return (
        f"{caller} needs {package}, which is not installed; install it with: {_installing(package)} "
        "(linreg doctor lists all that is missing)"
    )


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # pip may leave a folder of a package that it has removed


def _being_imported(error: Exception) -> str | None:
    """Return the first package whose own code raised the error while it was imported, which fails for that reason."""
    for frame, _ in walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in (*DEPENDENCIES, *OPTIONAL) and package not in sys.modules:
            return package
    return None


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _installing(package: str, *, again: bool = False) -> str:
    return f"pip install {'--force-reinstall ' if again else ''}{OPTIONAL.get(package, package)}"
