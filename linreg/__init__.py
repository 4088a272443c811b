"""linreg: fit a linear model with PyTorch, export it, prove it equal, measure it.

Names load their modules when they are first used, so that `import linreg` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg.bundle import Bundle
    from linreg.errors import (
        DataError,
        ExportError,
        InexactError,
        LinregError,
        MismatchError,
        ModelError,
        SlowerError,
        TrainingError,
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
    "SlowerError",
    "TrainingError",
    "__version__",
    "fit",
    "load",
    "straight_line",
]

_HOMES = {
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
        "SlowerError",
        "TrainingError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'linreg' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
