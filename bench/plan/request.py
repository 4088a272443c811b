"""The request for a benchmark."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.plan.budget import Budget
from bench.plan.interpreters import Interpreter
from bench.plan.variants import ONNX_LEVELS
from linreg.config import BENCH_DEFAULTS, MODEL_FILE, BenchSettings, DeviceChoice

if TYPE_CHECKING:
    from export.source.given_inputs import GivenInputs


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to time, and how.

    Attributes:
        model: bundle or .pth file; for the user's own module, None or its bundle.
        module: `FILE.py:NAME` or `package.module:NAME` of the user's own module; empty for a model of `linreg train`.
        arguments: arguments of the function or class that makes the module, each `NAME=VALUE`.
        state_dict: file with parameters for the module; None keeps the parameters that it is made with.
        inputs: inputs of the module, such as `x=float32[batch,16]`; empty if its bundle describes them.
        inputs_from: files or functions of the user's own inputs, which `bench.plan.own_inputs` turns into `own`.
        own: the user's own inputs of the module; each set is timed as it is, instead of random values.
        settings: how much to measure.
        device: devices to time on.
        compiled: time torch.compile too.
        variants: the user's own rows, each `FILE.py:NAME`.
        against: artifact of another bundle to compare with.
        runtimes: folder of programs that need no Python, to time too; None: time none.
        trust: run programs that this user did not export.
        command: the command that the report shows.
        name: name of the model in the report; empty: that of its bundle, file or module.
        onnx_optimization: levels of graph optimisation at which the rows of onnxruntime are timed.
        environments: Python environments to compare with each other, the reference first; empty for this one only.
        budgets: limits of the tails, for which enough calls are timed one by one.
    """

    model: Path | None = None
    module: str = ""
    arguments: tuple[str, ...] = ()
    state_dict: Path | None = None
    inputs: tuple[str, ...] = ()
    inputs_from: tuple[str, ...] = ()
    own: "tuple[GivenInputs, ...]" = ()
    settings: BenchSettings = BENCH_DEFAULTS
    device: DeviceChoice = DeviceChoice.AUTO
    compiled: bool = False
    variants: tuple[str, ...] = ()
    against: Path | None = None
    runtimes: Path | None = None
    trust: bool = False
    command: tuple[str, ...] = ("linreg", "bench")
    name: str = ""
    onnx_optimization: tuple[str, ...] = ONNX_LEVELS[:1]
    environments: tuple[Interpreter, ...] = ()
    budgets: tuple[Budget, ...] = ()


def model_name(request: Request) -> str:
    """Return the name of what a request times, without its folder: `penguins`, `weights.pth` or `nets.py:make_net`."""
    if request.name:
        return request.name
    if request.model is None:
        place, colon, name = request.module.rpartition(":")
        return f"{Path(place).name}{colon}{name}"
    path = Path(os.path.normpath(request.model.absolute()))  # not resolved: a link keeps the name that its user knows
    return path.parent.name if path.name == MODEL_FILE else path.name


def public_command(words: Sequence[str]) -> tuple[str, ...]:
    """Return the command line for a report, with only the last component of each absolute path."""
    return tuple(map(_public_word, words))


def _public_word(word: str) -> str:
    option, equals, value = word.rpartition("=")
    return f"{option}{equals}.../{Path(value).name}" if value.startswith(("/", "~")) else word
