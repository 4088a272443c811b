"""`linreg doctor`: what is installed, and what is missing."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import linreg
from linreg.cli.options import Json
from linreg.cli.terminal import note, print_json, show_table
from linreg.dependencies import DEPENDENCIES, OPTIONAL, broken_packages, missing_packages
from linreg.errors import LinregError

NAME = "doctor"
SUMMARY = "Show versions, devices and providers."
EXAMPLES = ("linreg doctor", "linreg doctor --json")


def run(as_json: Json = False) -> None:
    """Show versions, devices, providers, C compiler, Node.js, and packages that are missing or cannot be imported."""
    missing, broken = missing_packages(), broken_packages()
    unusable = {*missing, *broken}
    found: dict[str, Any] = {"linreg": linreg.__version__, **_environment(unusable)}
    found |= _versions()
    found |= _tools()
    if "torch" not in unusable:
        import torch

        devices = range(torch.cuda.device_count())
        found["cuda_devices"] = [torch.cuda.get_device_name(index) for index in devices]
    if "onnxruntime" not in unusable:
        import onnxruntime

        found["onnxruntime_providers"] = onnxruntime.get_available_providers()
    found |= {"missing": missing, "broken": broken}
    if as_json:
        print_json(found)
        return
    texts = {
        key: ", ".join(value) or "none" if isinstance(value, list | dict) else str(value)
        for key, value in found.items()
    }
    show_table("linreg doctor", ["item", "found"], [[key, text] for key, text in texts.items()], left=2)
    if missing:
        note(f"to install what is missing: pip install {' '.join(missing)}")
    for name, error in broken.items():
        note(f"{name} is installed but cannot be imported: {error}")


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in (*DEPENDENCIES, *OPTIONAL):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _environment(unusable: set[str]) -> dict[str, Any]:
    import platform

    if "torch" not in unusable:
        with suppress(ImportError):  # of another package
            from bench.environment import describe_environment

            return {key: value for key, value in asdict(describe_environment()).items() if key != "versions"}
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}


def _tools() -> dict[str, str]:
    """The programs that verify source code."""
    try:
        from export.runners.c import describe_compiler
        from export.runners.js import describe_node
    except ImportError:
        return dict.fromkeys(("c_compiler", "node"), "not checked: a package is missing")
    return {"c_compiler": _described(describe_compiler), "node": _described(describe_node)}


def _described(describe: Callable[[], str]) -> str:
    try:
        return describe()
    except LinregError:
        return "none"
