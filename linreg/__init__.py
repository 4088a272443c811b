"""linreg: fit a linear model with PyTorch, export it, verify every exported file, and benchmark it.

    fit             fit a linear model to a table or to arrays
    straight_line   make the points of a straight line, the example data set
    load            load a model that `linreg train` or `FittedModel.save` saved
    export          export a model or any nn.Module to ONNX, TorchScript, .pt2 or C, and verify every file
    verify          check the files of a bundle again
    bench           time every way to run a model
    compare         compare the speed of two callables

A name's module is imported when the name is first used, so that `import linreg` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.benchmark import bench
    from bench.compare import PairedComparison, compare
    from bench.report.report import Report
    from export.bundle.export import export
    from export.bundle.verified import VerifiedBundle
    from export.bundle.verify import verify
    from linreg.bundle import Bundle
    from linreg.errors import (
        DataError,
        ExportError,
        InexactError,
        LinregError,
        MismatchError,
        ModelError,
        OptionError,
        SlowerError,
        TrainingError,
        UntrustedError,
    )
    from linreg.fitted import FittedModel, load
    from linreg.fitting import fit, straight_line

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "DataError",
    "ExportError",
    "FittedModel",
    "InexactError",
    "LinregError",
    "MismatchError",
    "ModelError",
    "OptionError",
    "PairedComparison",
    "Report",
    "SlowerError",
    "TrainingError",
    "UntrustedError",
    "VerifiedBundle",
    "__version__",
    "bench",
    "compare",
    "export",
    "fit",
    "load",
    "straight_line",
    "verify",
]

_HOMES = {
    "export.bundle.export": ("export",),
    "export.bundle.verified": ("VerifiedBundle",),
    "export.bundle.verify": ("verify",),
    "linreg.fitting": ("fit", "straight_line"),
    "linreg.fitted": ("FittedModel", "load"),
    "linreg.bundle": ("Bundle",),
    "linreg.errors": (
        "DataError",
        "ExportError",
        "InexactError",
        "LinregError",
        "MismatchError",
        "ModelError",
        "OptionError",
        "SlowerError",
        "TrainingError",
        "UntrustedError",
    ),
    "bench.benchmark": ("bench",),
    "bench.compare": ("PairedComparison", "compare"),
    "bench.report.report": ("Report",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'linreg' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
