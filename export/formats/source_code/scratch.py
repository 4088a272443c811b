"""Where the buffers of a network stand in memory, so that few numbers suffice for a row."""

from collections.abc import Iterable
from dataclasses import dataclass

from export.formats.source_code.steps import Elementwise, LayerNorm, Network, Softmax, Step, inputs_of

IN_PLACE = (Elementwise, LayerNorm, Softmax)
"""Steps that read no element after they wrote it, but where they write the same one again."""


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """The places of all buffers but the input's.

    Attributes:
        size: how many numbers the scratch memory holds.
        offsets: where each buffer begins in it.
        in_output: the buffers that stand in the memory of the output.
    """

    size: int
    offsets: dict[int, int]
    in_output: frozenset[int]


@dataclass(kw_only=True)
class _Block:
    """Buffers that share memory, one after the other, from the step that writes the first to the last that reads."""

    buffers: list[int]
    size: int
    first: int
    last: int
    offset: int = 0

    def overlaps(self, other: "_Block") -> bool:
        return self.first <= other.last and other.first <= self.last


def plan_scratch(network: Network) -> Scratch:
    """Give each buffer the lowest free place, in the order of the steps."""
    blocks = _blocks(network)
    output = next(block for block in blocks if network.output.buffer in block.buffers)
    placed: list[_Block] = []
    for block in blocks:
        if block is not output:
            block.offset = _lowest(block, [other for other in placed if other.overlaps(block)])
            placed.append(block)
    return Scratch(
        size=max((block.offset + block.size for block in placed), default=0),
        offsets={buffer: block.offset for block in placed for buffer in block.buffers},
        in_output=frozenset(output.buffers),
    )


def _blocks(network: Network) -> list[_Block]:
    last = {tensor.buffer: place for place, step in enumerate(network.steps) for tensor in inputs_of(step)}
    blocks: list[_Block] = []
    for place, step in enumerate(network.steps):
        made = step.output.buffer
        end = max(place, last.get(made, place))
        shared = next((block for block in blocks if _may_share(step, block, place)), None)
        if shared is None:
            blocks.append(_Block(buffers=[made], size=step.output.size, first=place, last=end))
        else:
            shared.buffers.append(made)
            shared.last = end
    return blocks


def _may_share(step: Step, block: _Block, place: int) -> bool:
    """Whether a step may write over the block, whose last reader it is."""
    reads = {tensor.buffer for tensor in inputs_of(step)}
    last = block.buffers[-1]
    return isinstance(step, IN_PLACE) and block.last == place and last in reads and block.size == step.output.size


def _lowest(block: _Block, others: Iterable[_Block]) -> int:
    """The lowest offset at which the block meets none of the others."""
    offset = 0
    for other in sorted(others, key=lambda other: other.offset):
        if offset + block.size > other.offset:
            offset = max(offset, other.offset + other.size)
    return offset
