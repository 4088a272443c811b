"""What a benchmark is asked to time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linreg.config import BENCH_DEFAULTS, BenchSettings, DeviceChoice


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to time, and how.

    Attributes:
        model: bundle or .pth file; None for a module of the user's own.
        module: `FILE.py:NAME` of that module; empty for a model of linreg's.
        state_dict: parameters for the module; None keeps those it is made with.
        inputs: what the module takes, such as `x=float32[batch,16]`.
        settings: how much to measure.
        device: where the calls run.
        compiled: time torch.compile too.
        variants: rows of the user's own, each `FILE.py:NAME`.
        against: artifact of another bundle to compare with.
        runtimes: folder of programs without Python to time too.
        trust: run programs that this user did not export.
        command: the command that the report shows.
    """

    model: Path | None = None
    module: str = ""
    state_dict: Path | None = None
    inputs: tuple[str, ...] = ()
    settings: BenchSettings = BENCH_DEFAULTS
    device: DeviceChoice = DeviceChoice.AUTO
    compiled: bool = False
    variants: tuple[str, ...] = ()
    against: Path | None = None
    runtimes: Path | None = None
    trust: bool = False
    command: tuple[str, ...] = ("linreg", "bench")


def public_command(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line as a report may show them: of an absolute path only the last part."""
    return tuple(map(_public_word, words))


def _public_word(word: str) -> str:
    option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}.../{Path(value).name}" if value.startswith(("/", "~")) else word
