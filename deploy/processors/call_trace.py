"""Read what one call costs from qemu's trace of single instructions with the registers before each."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BEGINS, ENDS = "call_begins", "call_ends"
_STEP = re.compile(r"^Trace \d+: .*\] ?(?P<symbol>.*)$")


class TraceError(Exception):
    """The trace does not show a whole call."""


@dataclass(frozen=True, kw_only=True)
class CallCost:
    """What one call takes on a processor, exactly and repeatably.

    Attributes:
        instructions: executed from the first of the called function to its return, those of the C library included.
        stack_bytes: how far the stack pointer moves below where the caller left it.
    """

    instructions: int
    stack_bytes: int


def call_cost(lines: Iterable[str], stack_pointer: str) -> CallCost:
    """Return the cost of the call between the marks of call.c.

    Args:
        lines: what `qemu -singlestep -d exec,cpu,nochain` writes: a step, then the registers before it.
        stack_pointer: a regular expression whose group holds the stack pointer, in hexadecimal.

    Raises:
        TraceError: a mark, an instruction of the call, or the stack pointer is not in the trace.
    """
    register = re.compile(stack_pointer)
    symbol, ended = "", False
    called: list[str] = []
    pointers: list[int] = []
    for line in _between_marks(lines):
        if step := _STEP.match(line):
            symbol = step["symbol"].strip()
            ended = symbol == ENDS
            if symbol not in (BEGINS, ENDS, "main"):
                called.append(symbol)
        elif symbol not in (BEGINS, ENDS) and (found := register.search(line)):
            pointers.append(int(found[1], 16))
    if not ended or not called or not pointers:
        raise TraceError(f"the trace shows no whole call: {len(called)} instructions, {len(pointers)} stack pointers")
    return CallCost(instructions=len(called), stack_bytes=max(pointers) - min(pointers))


def _between_marks(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines from the first mark to the first of the second."""
    begun = False
    for line in lines:
        step = _STEP.match(line)
        begun = begun or (step is not None and step["symbol"].strip() == BEGINS)
        if begun:
            yield line
        if begun and step is not None and step["symbol"].strip() == ENDS:
            return
