"""`linreg doctor`: what is installed, and what is missing."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import linreg
from linreg.cli.dependencies import DEPENDENCIES, missing_packages
from linreg.cli.options import Json
from linreg.cli.terminal import note, print_json, show_table
from linreg.errors import LinregError

NAME = "doctor"
SUMMARY = "Show versions, devices and providers."
EXAMPLES = ("linreg doctor", "linreg doctor --json")


def run(as_json: Json = False) -> None:
    """Show versions, devices, ONNX Runtime providers, the C compiler, Node.js, and the packages that are missing."""
    from importlib.metadata import version

    missing = missing_packages()
    found: dict[str, Any] = {"linreg": linreg.__version__, **_environment(missing)}
    found |= {name: version(name) for name in DEPENDENCIES if name not in missing}
    found |= _tools()
    if "torch" not in missing:
        import torch

        devices = range(torch.cuda.device_count())
        found["cuda_devices"] = [torch.cuda.get_device_name(index) for index in devices]
    if "onnxruntime" not in missing:
        import onnxruntime

        found["onnxruntime_providers"] = onnxruntime.get_available_providers()
    found["missing"] = missing
    if as_json:
        print_json(found)
        return
    texts = {key: ", ".join(value) or "none" if isinstance(value, list) else str(value) for key, value in found.items()}
    show_table("linreg doctor", ["item", "found"], [[key, text] for key, text in texts.items()], left=2)
    if missing:
        note(f"to install what is missing: pip install {' '.join(missing)}")


def _environment(missing: list[str]) -> dict[str, Any]:
    import platform

    if "torch" in missing:
        return {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}
    from bench.environment import describe_environment

    return {key: value for key, value in asdict(describe_environment()).items() if key != "versions"}


def _tools() -> dict[str, str]:
    """The programs that verify source code."""
    try:
        from export.runners.c import describe_compiler
        from export.runners.js import describe_node
    except ModuleNotFoundError:
        return dict.fromkeys(("c_compiler", "node"), "not checked: a package is missing")
    return {"c_compiler": _described(describe_compiler), "node": _described(describe_node)}


def _described(describe: Callable[[], str]) -> str:
    try:
        return describe()
    except LinregError:
        return "none"
