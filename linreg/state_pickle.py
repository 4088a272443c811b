"""Read the pickle of a plain state_dict: a machine of its own for the few instructions that torch.save writes there.

Nothing is imported and nothing is called: six names are known, and each stands for one construction below. Whatever
else a pickle holds is refused, and so is everything that torch.load(weights_only=True) refuses.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"}
"""The dtypes of torch's storages, by name."""

MAX_AXES = 32
MAX_ELEMENTS = 2**40
"""Otherwise an empty tensor could claim any size."""

REBUILD_TENSOR, REBUILD_PARAMETER = ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter")
ORDERED_DICT = ("collections", "OrderedDict")


class NotPlainError(Exception):
    """The file is not a plain state_dict of dense floating tensors on the CPU."""


@dataclass(frozen=True, eq=False)
class _Name:
    """A global of the pickle; it is only compared with the known ones."""

    name: tuple[str, str]


class _Ordered(dict[Any, Any]):
    """Stands for an OrderedDict; `metadata` is what torch keeps in its `_metadata`."""

    metadata: Any = None


def read_pickle(data: bytes, storage_of: Callable[[str, str, int], Array]) -> tuple[dict[str, Array], Any]:
    """Return the arrays of a state_dict by name, as read-only views of their storages, and its `_metadata`.

    Args:
        data: the pickle.
        storage_of: returns the storage of a key, a dtype and a number of elements as a flat array.

    Raises:
        NotPlainError: the pickle holds anything else.
    """
    try:
        found = _Machine(data, storage_of).run()
    except (IndexError, KeyError, ValueError, TypeError, struct.error) as error:
        raise NotPlainError(f"{type(error).__name__}: it holds more than tensors, or is damaged") from None
    if not isinstance(found, dict):
        raise NotPlainError("it is not a dictionary")
    for key, value in found.items():
        if type(key) is not str or type(value) is not np.ndarray:
            raise NotPlainError("it holds more than tensors by name")
    return found, getattr(found, "metadata", None)


class _Machine:
    """Runs a pickle; its stack holds plain values, arrays, names and storages."""

    def __init__(self, data: bytes, storage_of: Callable[[str, str, int], Array]) -> None:
        self._data = data
        self._place = 0
        self._storage_of = storage_of
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        if self._take(2) != b"\x80\x02":
            raise NotPlainError("it is not of protocol 2")
        while (code := self._take(1)) != b".":
            step = STEPS.get(code)
            if step is None:
                raise NotPlainError(f"it has the instruction {code!r}")
            step(self)
        if self._marked or len(self._stack) != 1 or self._place != len(self._data):
            raise NotPlainError("it does not end with its only value")
        return self._stack[0]

    def _take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) != count:
            raise NotPlainError("it is cut off")
        self._place += count
        return taken

    def number(self, form: str) -> int:
        """Read an integer of a `struct` form."""
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def line(self) -> str:
        """Read up to the end of the line."""
        end = self._data.index(b"\n", self._place)
        text = self._data[self._place : end].decode("ascii")
        self._place = end + 1
        return text

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def long(self) -> None:
        """Push an integer of up to 255 bytes."""
        self.push(int.from_bytes(self._take(self.number("<B")), "little", signed=True))

    def text(self) -> None:
        """Push a text."""
        self.push(self._take(self.number("<I")).decode())

    def name(self) -> None:
        """Push one of the six names."""
        name = self.line(), self.line()
        known = name in (ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER) or (
            name[0] == "torch" and name[1] in STORAGES
        )
        if not known:
            raise NotPlainError(f"it holds {'.'.join(name)[:80]!r}")
        self.push(_Name(name))

    def mark(self) -> None:
        """Begin a tuple or the items of a dictionary."""
        self._marked.append(self._stack)
        self._stack = []

    def to_mark(self) -> list[Any]:
        """Return what was pushed since the last mark."""
        items, self._stack = self._stack, self._marked.pop()
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        """Return the last values of the stack and remove them."""
        if count > len(self._stack):
            raise NotPlainError("its stack is empty")
        items = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        return items

    def put(self, place: int) -> None:
        """Remember the last value."""
        self._memo[place] = self._stack[-1]

    def get(self, place: int) -> None:
        """Push a value that was remembered."""
        self.push(self._memo[place])

    def set_items(self, items: list[Any] | tuple[Any, ...]) -> None:
        """Put keys and values into the dictionary that is last on the stack."""
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise NotPlainError("it sets items of something else than a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str:
                raise NotPlainError("it has a key that is not text")
            target[key] = value

    def storage(self) -> None:
        """Replace a persistent identifier by the storage that it names."""
        (identifier,) = self.last(1)
        kind, storage, key, place, count = identifier
        if kind != "storage" or type(storage) is not _Name or storage.name[0] != "torch" or place != "cpu":
            raise NotPlainError("it has a storage that is not on the CPU")
        if type(key) is not str or type(count) is not int or count < 0:
            raise NotPlainError("it has a storage without a key or a size")
        self.push(_Storage(self._storage_of(key, STORAGES[storage.name[1]], count)))

    def construct(self) -> None:
        """Construct what one of the six names stands for."""
        name, arguments = self.last(2)
        if type(name) is not _Name or type(arguments) is not tuple:
            raise NotPlainError("it calls something else than a known name")
        if name.name == ORDERED_DICT and arguments == ():
            self.push(_Ordered())
        elif name.name == REBUILD_TENSOR:
            self.push(_tensor(*arguments))
        elif name.name == REBUILD_PARAMETER:
            self.push(_parameter(*arguments))
        else:
            raise NotPlainError(f"it calls {'.'.join(name.name)}")

    def build(self) -> None:
        """Set the metadata of an OrderedDict."""
        (state,) = self.last(1)
        target = self._stack[-1]
        if type(target) is not _Ordered or type(state) is not dict or set(state) != {"_metadata"}:
            raise NotPlainError("it sets attributes of something else than a state_dict")
        target.metadata = state["_metadata"]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any) -> Array:
    """Return a tensor as a view of its storage, every element of which is inside that storage."""
    if type(storage) is not _Storage or type(size) is not tuple or type(stride) is not tuple:
        raise NotPlainError("it has a tensor without a storage or a shape")
    numbers = (offset, *size, *stride)
    if any(type(number) is not int or not 0 <= number < MAX_ELEMENTS for number in numbers):
        raise NotPlainError("it has a tensor with an impossible shape")
    if type(requires_grad) is not bool or type(hooks) is not _Ordered or hooks:
        raise NotPlainError("it has a tensor with hooks")
    values = storage.values
    if len(size) != len(stride) or len(size) > MAX_AXES or prod(max(1, axis) for axis in size) >= MAX_ELEMENTS:
        raise NotPlainError("it has a tensor with an impossible shape")
    last = offset + sum((axis - 1) * step for axis, step in zip(size, stride, strict=True))
    if offset > len(values) or (prod(size) and last >= len(values)):
        raise NotPlainError("it has a tensor that claims more numbers than its storage has")
    strides = tuple(step * values.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(values[offset:], size, strides, writeable=False)


def _parameter(tensor: Any, requires_grad: Any, hooks: Any) -> Array:
    """Return the array of a parameter."""
    if type(tensor) is not np.ndarray or type(requires_grad) is not bool or type(hooks) is not _Ordered or hooks:
        raise NotPlainError("it has a parameter that is more than a tensor")
    return tensor


@dataclass(frozen=True, eq=False)
class _Storage:
    """A storage, apart from tensors, so that only a construction makes one of the other."""

    values: Array


STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"}": lambda machine: machine.push({}),
    b")": lambda machine: machine.push(()),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"J": lambda machine: machine.push(machine.number("<i")),
    b"K": lambda machine: machine.push(machine.number("<B")),
    b"M": lambda machine: machine.push(machine.number("<H")),
    b"\x8a": _Machine.long,
    b"X": _Machine.text,
    b"c": _Machine.name,
    b"(": _Machine.mark,
    b"t": lambda machine: machine.push(tuple(machine.to_mark())),
    b"\x85": lambda machine: machine.push(machine.last(1)),
    b"\x86": lambda machine: machine.push(machine.last(2)),
    b"\x87": lambda machine: machine.push(machine.last(3)),
    b"q": lambda machine: machine.put(machine.number("<B")),
    b"r": lambda machine: machine.put(machine.number("<I")),
    b"h": lambda machine: machine.get(machine.number("<B")),
    b"j": lambda machine: machine.get(machine.number("<I")),
    b"s": lambda machine: machine.set_items(machine.last(2)),
    b"u": lambda machine: machine.set_items(machine.to_mark()),
    b"Q": _Machine.storage,
    b"R": _Machine.construct,
    b"b": _Machine.build,
}
"""What each instruction does, by its code; the names are those of Python's pickletools."""
