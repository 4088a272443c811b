"""Inspect a TorchScript archive by searching its code as text, in one pass."""

import itertools
import pickletools
import re
from collections import Counter
from typing import Any

from export.inspection.archive import Archive
from export.inspection.inspected import cut, tensors

MAX_CODE_BYTES = 8 * 2**20
MAX_OPERATORS = 10_000
MAX_PICKLE_BYTES = 2**16
MAX_OPCODES = 1_000
MAX_SIGNATURE = 10_000
"""Characters of a method that are searched for its signature."""

OPERATOR = re.compile(r"\b(?:torch|ops\.\w{1,100})\.(\w{1,100})\(")


def read_torchscript(archive: Archive) -> dict[str, Any]:
    """Read the parts of an inspection from a TorchScript archive.

    Raises:
        ValueError: data.pkl is not a pickle.
    """
    metadata = archive.metadata()
    top = _top_class(archive.read("data.pkl", MAX_PICKLE_BYTES))
    facts: dict[str, Any] = {"class": cut(top), "debug_records": 0}
    facts["debug_records"] = sum(name.endswith(".debug_pkl") for name in archive.records)
    operators: Counter[str] = Counter()
    left = MAX_CODE_BYTES
    for name in archive.records:
        if not name.startswith("code/") or not name.endswith(".py"):
            continue
        data = archive.read(name, left)
        left -= len(data)
        text = data.decode(errors="replace")
        if "forward" not in facts and (found := signature(text, top.rpartition(".")[2])) is not None:
            facts["forward"] = found
        operators.update(match[1] for match in OPERATOR.finditer(text))
        if len(operators) > MAX_OPERATORS:
            raise ValueError(f"its code calls more than {MAX_OPERATORS} operators")
    if left <= 0:
        facts["cut"] = f"only the first {MAX_CODE_BYTES} bytes of its code were searched"
    return {
        "inputs": tensors(metadata.get("inputs")),
        "outputs": tensors(metadata.get("outputs")),
        "facts": facts,
        "metadata": metadata,
        "operators": dict(operators),
    }


def signature(code: str, name: str) -> str | None:
    """Return the signature of a class's `forward`, such as `(x: Tensor) -> Tensor`; None if it is not found."""
    if (place := f"\n{code}".find(f"\nclass {name}(Module):\n")) < 0:
        return None
    end = code.find("\nclass ", place + 1)
    place = code.find("def forward(self: ", place, end if end >= 0 else len(code))
    if place < 0:
        return None
    text = code[place + len("def forward(") : place + MAX_SIGNATURE]
    arguments, _, rest = text.partition(") -> ")
    result, colon, _ = rest.partition(":")
    if not colon or "(" in arguments:
        return None
    others = arguments.partition(",")[2]
    return cut(f"({' '.join(others.split())}) -> {' '.join(result.split())}", 1000)


def _top_class(data: bytes) -> str:
    """Return the first class that data.pkl names; pickletools only lists the opcodes and builds no object."""
    for opcode, argument, _ in itertools.islice(pickletools.genops(data), MAX_OPCODES):
        if opcode.name == "GLOBAL":
            return str(argument).replace(" ", ".")
    return "unknown"
