"""Read torch.export's message about a dynamic axis that the module limits, and say what to write instead."""

import re
from collections.abc import Sequence

from export.source.axes import Axis

VIOLATED = re.compile(r"Constraints violated \(([^)]*)\)")
FIX = re.compile(r"^  (\w+) = (.+)$", re.MULTILINE)
RANGE = re.compile(r"Dim\('\w+'(?:, min=(\d+))?(?:, max=(\d+))?\)")
MULTIPLE = re.compile(r"(\d+)\*_\w+")
SPECIALISED = re.compile(r"You marked (.+?) as dynamic but your code specialized it to be a constant \((\d+)\)")
SYMBOL = re.compile(r"[A-Za-z_]\w*")
GUARD = re.compile(r"satisfy the generated guard (.+?)\.?$", re.MULTILINE)
SIZE = re.compile(r"L\['(\w+)'\]\.size\(\)\[(\d+)\]")
LARGEST = 512


def limited_axes(text: str, axes: Sequence[Axis], inputs: Sequence[Sequence[int | str]], steps: str) -> list[str]:
    """Return one sentence per axis that the message names: its name, the reason and what to write.

    Args:
        text: the message.
        axes: the dynamic axes.
        inputs: the shape of each input.
        steps: prefix of the symbols of axes with steps.
    """
    match = VIOLATED.search(text)
    if match is None:
        return []
    named = [_axis(symbol, steps) for symbol in match[1].split(",")]
    fixes = {_axis(symbol, steps): fix for symbol, fix in (*SPECIALISED.findall(text), *FIX.findall(text))}
    sizes = {str(size) for shape in inputs for size in shape}
    return [
        _sentence(axis, fixes.get(axis.name, ""), _guard(text, axis.name), sizes)
        for axis in axes
        if axis.name in named or (axis.name in fixes and fixes[axis.name] != axis.name)
    ]


def _axis(symbol: str, steps: str) -> str:
    """Return the name of the axis in a symbol such as `h`, or `32*steps_of_h` for an axis with steps."""
    match = SYMBOL.search(symbol)
    return "" if match is None else match[0].removeprefix(steps)


def _sentence(axis: Axis, fix: str, guard: str, names: set[str]) -> str:
    name = axis.name
    if fix.isdecimal():
        return (
            f"axis {name!r} becomes a constant, as by nn.RNN, a loop over it, int() or a fixed shape; "
            f"fix it, such as --static {name}={fix}"
        )
    if fix in names:
        return f"axes {name!r} and {fix!r} must be equal; give them one name"
    if match := MULTIPLE.fullmatch(fix):
        step = int(match[1])
        return f"axis {name!r} must be a multiple of {step}; write {name}:{step}..{max(LARGEST, 16 * step)}*{step}"
    if (match := RANGE.fullmatch(fix)) and (match[1] or match[2]):
        least, most = max(axis.least, int(match[1] or 1)), int(match[2] or LARGEST)
        return f"axis {name!r} must be {least} to {most}; write {name}:{least}..{most}"
    why = f"not every size of axis {name!r} satisfies {guard}" if guard else f"the module limits axis {name!r}"
    return f"{why}; give its range, such as {name}:2..{LARGEST}, or fix it: --static {name}=SIZE"


def _guard(text: str, name: str) -> str:
    """Return the first condition that torch found for an axis, with the name of the axis in it."""
    for line in text.splitlines():
        if (match := GUARD.search(line)) and f"of {name} = " in line:
            return SIZE.sub(name, match[1])[:120]
    return ""
