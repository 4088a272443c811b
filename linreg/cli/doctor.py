"""`linreg doctor`: what this installation has."""

from dataclasses import asdict

from linreg.cli.options import Json
from linreg.cli.terminal import print_json, show_table

NAME = "doctor"
SUMMARY = "Show versions, devices and providers."
EXAMPLES = ("linreg doctor", "linreg doctor --json")


def run(as_json: Json = False) -> None:
    """Show versions, devices, providers and the C compiler that proves C source."""
    import onnxruntime
    import torch

    import linreg
    from bench.environment import describe_environment
    from export.runners.c import describe_compiler
    from linreg.errors import LinregError

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    environment = asdict(describe_environment())
    versions = environment.pop("versions")
    try:
        compiler = describe_compiler()
    except LinregError:
        compiler = "none"
    found = {
        "linreg": linreg.__version__,
        **environment,
        **versions,
        "c_compiler": compiler,
        "cuda_devices": devices,
        "onnxruntime_providers": onnxruntime.get_available_providers(),
    }
    if as_json:
        print_json(found)
        return
    texts = {key: ", ".join(value) or "none" if isinstance(value, list) else str(value) for key, value in found.items()}
    show_table("linreg doctor", ["what", "found"], [[key, text] for key, text in texts.items()], left=2)
