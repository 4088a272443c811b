"""Decide whether an artifact may be loaded.

TorchScript, .pt2, C, JavaScript and SQL files are programs: loading one runs its code.
"""

from enum import Enum, auto
from typing import NewType

from export.formats.names import PROGRAMS, Format
from export.runners.ledger import is_ours
from linreg.errors import UntrustedError

TrustedBytes = NewType("TrustedBytes", bytes)
"""The bytes of an artifact that may be loaded: made by `trusted_bytes` alone, and required by what loads a program."""


class Trust(Enum):
    """Why a program may be loaded.

    Attributes:
        MADE_HERE: this process made the bytes, or the process that started it has already decided.
        LEDGER: the ledger of this user's exports must list the bytes; otherwise they are refused.
        USER: the user vouches for the program, with --trust or `trust=True`.
    """

    MADE_HERE = auto()
    LEDGER = auto()
    USER = auto()

    @classmethod
    def from_option(cls, trust: bool) -> "Trust":
        """Return USER if `--trust` (in Python: `trust=True`) was given, otherwise LEDGER."""
        return cls.USER if trust else cls.LEDGER


def trusted_bytes(kind: Format, name: str, data: bytes, trust: Trust) -> TrustedBytes:
    """Return the bytes of an artifact if it may be loaded.

    Args:
        kind: the format of the artifact.
        name: the name used in messages.
        data: the bytes of the artifact.
        trust: why a program may be loaded.

    Raises:
        UntrustedError: the artifact is a program that this user did not export.
    """
    if kind in PROGRAMS and trust is Trust.LEDGER and not is_ours(data):
        raise UntrustedError(
            f"{name}: is a program that this user did not export; if you trust it, add --trust (in Python: trust=True)"
        )
    return TrustedBytes(data)
