"""Renumber the class names that torch makes unique with a counter, so that the numbers in each archive start from 0.

torch calls a second class of the same name `___torch_mangle_7.Linear`, where 7 counts such classes in this process.
Without renumbering, the bytes of an archive would depend on earlier exports.
"""

import pickletools
import re
import struct
from itertools import pairwise

MANGLED = re.compile(r"(?<=___torch_mangle_)[0-9]+")


class Renumbering:
    """New numbers for the mangled names in one archive, which keep their order."""

    def __init__(self, names: list[str]) -> None:
        """Collect the numbers from the names of all records; every mangled class has a record."""
        found = sorted({int(number) for name in names for number in MANGLED.findall(name)})
        self._numbers = {str(old): str(new) for new, old in enumerate(found)}

    @property
    def needed(self) -> bool:
        """Whether any record name is mangled."""
        return bool(self._numbers)

    def text(self, text: str) -> str:
        """Renumber the names in source code, or a single name."""
        return MANGLED.sub(lambda match: self._numbers.get(match[0], match[0]), text)

    def pickle(self, data: bytes) -> bytes:
        """Renumber the names in a pickle by rewriting its opcodes; nothing is unpickled."""
        operations = [(opcode.name, argument, place or 0) for opcode, argument, place in pickletools.genops(data)]
        places = [place for _, _, place in operations] + [len(data)]
        pieces = []
        for (name, argument, _), (start, end) in zip(operations, pairwise(places), strict=True):
            if isinstance(argument, str) and MANGLED.search(argument):
                pieces.append(self._written(name, argument))
            else:
                pieces.append(data[start:end])
        return b"".join(pieces)

    def _written(self, opcode: str, argument: str) -> bytes:
        text = self.text(argument)
        if opcode == "GLOBAL":
            return b"c" + text.replace(" ", "\n", 1).encode() + b"\n"
        if opcode == "BINUNICODE":
            encoded = text.encode()
            return b"X" + struct.pack("<I", len(encoded)) + encoded
        raise ValueError(f"a name is in an opcode {opcode}, expected GLOBAL or BINUNICODE")
