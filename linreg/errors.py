"""The exceptions that linreg raises on purpose.

    LinregError            base class; exit code 1
    ├── DataError          a table, a line or a split cannot be used
    │   └── OptionError    an option does not apply to this table; exit code 2
    ├── TrainingError      training failed: it diverged, or columns are collinear
    ├── ModelError         a state_dict, a card or an artifact cannot be read
    │   └── UntrustedError an artifact is a program that this user did not export
    ├── ExportError        a module cannot be exported with these options
    │   └── InexactError   a module's rounding errors are too large to verify its files
    ├── MismatchError      outputs or checksums differ; exit code 3
    └── SlowerError        a variant is slower than the gate allows; exit code 4

A message is one line: what is wrong, what was given, what is expected, and what to do. Only the command line prints it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class LinregError(Exception):
    """An expected failure, described in one line.

    Attributes:
        on_command_line: the message as worded for the command line, if it differs from the one for Python; else None.
    """

    exit_code: ClassVar[int] = 1
    on_command_line: str | None = None


class DataError(LinregError):
    """A table, a line or a split cannot be used."""


class OptionError(DataError):
    """An option does not apply to this table."""

    exit_code: ClassVar[int] = 2


class TrainingError(LinregError):
    """Training failed: it diverged, or columns are collinear."""


class ModelError(LinregError):
    """A state_dict, a card or an artifact cannot be read."""


class UntrustedError(ModelError):
    """An artifact is a program that this user did not export."""


class ExportError(LinregError):
    """A module cannot be exported with these options."""


class InexactError(ExportError):
    """A module's own rounding errors are too large to verify its files."""


class MismatchError(LinregError):
    """Outputs differ from the expected ones, or checksums differ from the manifest.

    Attributes:
        inputs: inputs by name that reproduce the difference, if there are any.
    """

    exit_code: ClassVar[int] = 3
    inputs: Mapping[str, Any] | None = None


class SlowerError(LinregError):
    """A variant is slower than the gate allows."""

    exit_code: ClassVar[int] = 4


class TerminatedError(BaseException):
    """A signal ends the process.

    This is not a SystemExit, because user code may raise one, and linreg catches that.
    """


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return the message of an exception from another library, on one line of at most `limit` characters."""
    return " ".join(str(error).split())[:limit] or type(error).__name__
