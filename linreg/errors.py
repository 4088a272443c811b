"""Every error that the toolkit raises on purpose.

    LinregError            an error, exit 1
    ├── DataError          a table, a line or a split cannot be used
    ├── TrainingError      the fit has no answer: it diverged, or columns are collinear
    ├── ModelError         a state_dict, a card or an artifact cannot be read
    ├── ExportError        a module cannot be exported as asked
    └── MismatchError      outputs differ, or bytes are not those of the manifest: exit 3

A message is one line: what, got, expected, next step. Only the command line prints it.
"""

from typing import ClassVar


class LinregError(Exception):
    """An expected failure, told in one line."""

    exit_code: ClassVar[int] = 1


class DataError(LinregError):
    """A table, a line or a split cannot be used."""


class TrainingError(LinregError):
    """The fit has no usable answer."""


class ModelError(LinregError):
    """A state_dict, a card or an artifact cannot be read."""


class ExportError(LinregError):
    """A module cannot be exported as asked."""


class MismatchError(LinregError):
    """Outputs differ from the reference, or bytes from the manifest."""

    exit_code: ClassVar[int] = 3
