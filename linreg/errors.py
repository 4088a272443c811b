"""Every error that the toolkit raises on purpose.

    LinregError            an error, exit 1
    ├── DataError          a table, a line or a split cannot be used
    ├── TrainingError      the fit has no answer: it diverged, or columns are collinear
    ├── ModelError         a state_dict, a card or an artifact cannot be read
    │   └── UntrustedError an artifact is a program that this user did not export
    ├── ExportError        a module cannot be exported as asked
    │   └── InexactError   its own rounding is so large that nothing could be proved of its files
    ├── MismatchError      outputs differ, or bytes are not those of the manifest: exit 3
    └── SlowerError        slower than the gate allows: exit 4

A message is one line: what, got, expected, next step. Only the command line prints it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class LinregError(Exception):
    """An expected failure, told in one line."""

    exit_code: ClassVar[int] = 1


class DataError(LinregError):
    """A table, a line or a split cannot be used."""


class TrainingError(LinregError):
    """The fit has no usable answer."""


class ModelError(LinregError):
    """A state_dict, a card or an artifact cannot be read."""


class UntrustedError(ModelError):
    """An artifact is a program that this user did not export."""


class ExportError(LinregError):
    """A module cannot be exported as asked."""


class InexactError(ExportError):
    """A module's own rounding is so large that nothing could be proved of its files."""


class MismatchError(LinregError):
    """Outputs differ from those expected, or bytes from the manifest.

    Attributes:
        inputs: arrays by name that show the difference, where there are any.
    """

    exit_code: ClassVar[int] = 3
    inputs: Mapping[str, Any] | None = None


class SlowerError(LinregError):
    """A variant is slower than the gate allows."""

    exit_code: ClassVar[int] = 4


class TerminatedError(BaseException):
    """A signal that ends the process; no SystemExit, which the code of a user may raise and which is caught there."""


def one_line(error: BaseException, limit: int = 200) -> str:
    """The text of somebody else's error, in one line of at most `limit` characters."""
    return " ".join(str(error).split())[:limit] or type(error).__name__
