"""The card of a module of the user's own: where its code is, and what it takes and returns.

The card is data. Nothing in it is run: the place of the code is shown to the user, who decides whether to run it.
"""

from dataclasses import dataclass
from pathlib import PurePath

MAX_SIZE = 2**40


@dataclass(frozen=True, kw_only=True)
class CardInput:
    """One input.

    Attributes:
        argument: the argument of forward.
        name: name in the exported files.
        dtype: dtype in the module's own precision, such as `float32`.
        shape: size of each axis, or the name of a dynamic one.
        least: smallest random integer; None unless the dtype is an integer.
        below: exclusive upper limit of random integers; None unless the dtype is an integer.
        prefix: every row is ones followed by zeros, as a mask of sequences padded on the right.
    """

    argument: str
    name: str
    dtype: str
    shape: tuple[int | str, ...]
    least: int | None = None
    below: int | None = None
    prefix: bool = False

    @property
    def text(self) -> str:
        """The input as `--input` takes it, without the ranges of its axes."""
        bare = f"{self.argument}={self.dtype}[{','.join(map(str, self.shape))}]"
        if self.prefix:
            return f"{bare} prefix"
        return bare if self.below is None else f"{f'{self.least}<=' if self.least else ''}{bare}<{self.below}"


@dataclass(frozen=True, kw_only=True)
class CardAxis:
    """A dynamic axis, whose sizes are `least`, `least + step` and so on, up to `most` (None: no limit)."""

    name: str
    least: int = 1
    most: int | None = None
    step: int = 1

    def has(self, size: int) -> bool:
        """Return whether the axis may have a size."""
        return (
            self.least <= size <= (MAX_SIZE if self.most is None else self.most)
            and (size - self.least) % self.step == 0
        )

    @property
    def sizes(self) -> str:
        """The sizes in words, such as `1 or more`, or `32 to 1024 in steps of 32`."""
        sizes = f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"
        return sizes if self.step == 1 else f"{sizes} in steps of {self.step}"


@dataclass(frozen=True, kw_only=True)
class CardOutput:
    """One output: its name in the exported files, and the size of each axis, or the name of a dynamic one.

    The size of an axis is None if it depends on dynamic axes, but is not equal to one of them.
    """

    name: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True, kw_only=True)
class ModuleCard:
    """The contents of the card.json of a user's own module.

    Attributes:
        code: place of the module's code when it was exported, such as `nets.py:make_net`; None if it is not known.
        state_sha256: SHA-256 that identifies the weights.
        inputs: the inputs, in the order of forward's arguments.
        axes: the dynamic axes.
        outputs: the outputs, in the order of the exported files.
    """

    code: str | None
    state_sha256: str
    inputs: tuple[CardInput, ...]
    axes: tuple[CardAxis, ...]
    outputs: tuple[CardOutput, ...]

    @property
    def static(self) -> bool:
        """Whether every axis has a fixed size."""
        return not self.axes

    @property
    def place(self) -> str:
        """What to write after --module: the place of the code if it is in a file, otherwise what it looks like."""
        return self.code if self.code is not None and ".py:" in self.code else "FILE.py:NAME"

    def has_interface_of(self, other: "ModuleCard") -> bool:
        """Return whether two cards describe the same inputs, axes and outputs; the limits of values may differ."""

        def interface(card: ModuleCard) -> object:
            inputs = [(entry.argument, entry.name, entry.dtype, entry.shape) for entry in card.inputs]
            return inputs, card.axes, card.outputs

        return interface(self) == interface(other)


def is_relative_place(code: str) -> bool:
    """Return whether the place of code may stand in a card: it says nothing about folders outside the current one."""
    path = PurePath(code.replace("\\", "/"))
    return bool(code) and code.isprintable() and not path.is_absolute() and ".." not in path.parts and code[0] != "~"
