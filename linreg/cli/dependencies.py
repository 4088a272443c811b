"""The packages that linreg depends on, and what to install if one is missing.

torch, onnxscript and matplotlib are extras, which only some commands need. `pip install --no-deps` leaves out the
others too; an .onnx file can then still be verified.
"""

from importlib.util import find_spec

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
    return [name for name in DEPENDENCIES if find_spec(name) is None]


def missing_message(error: ModuleNotFoundError, command: str) -> str | None:
    """Return one line that names the missing package and the command that installs it.

    Args:
        error: the error that an import in linreg's own code raised; imports in a user's module are reported elsewhere,
            with the name of the module's file.
        command: name of the command that needs the package.

    Returns:
        The line, or None if linreg does not depend on the package.
    """
    package = (error.name or "").partition(".")[0]
    if package in OPTIONAL:
        return (
            f"linreg {command} --engine {package} needs {package}, which is not installed; install it with: "
            f"pip install {OPTIONAL[package]}"
        )
    if package not in DEPENDENCIES:
        return None
    return (
        f"linreg {command} needs {package}, which is not installed; install it with: pip install {package} "
        "(linreg doctor lists all that is missing)"
    )
