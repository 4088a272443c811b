"""Inspect a .pth archive by reading its pickle opcode by opcode; nothing, torch included, is imported or called."""

import pickletools
from dataclasses import dataclass
from typing import Any

from export.inspection.archive import Archive
from export.inspection.inspected import MAX_TENSORS, cut

MAX_OPCODES = 400_000
MAX_AXES = 64
MAX_DEPTH = 20

DTYPES = {
    "Float": ("float32", 4),
    "Double": ("float64", 8),
    "Half": ("float16", 2),
    "BFloat16": ("bfloat16", 2),
    "Long": ("int64", 8),
    "Int": ("int32", 4),
    "Short": ("int16", 2),
    "Char": ("int8", 1),
    "Byte": ("uint8", 1),
    "Bool": ("bool", 1),
    "ComplexFloat": ("complex64", 8),
    "ComplexDouble": ("complex128", 16),
}
"""Dtype and bytes per element, by the prefix of the storage class."""

CONSTANTS: dict[str, Any] = {"NEWTRUE": True, "NEWFALSE": False, "NONE": None}
LITERALS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"})
PUTS = frozenset({"BINPUT", "LONG_BINPUT", "PUT"})
GETS = frozenset({"BINGET", "LONG_BINGET", "GET"})
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Name:
    """A class or function that the pickle names."""

    text: str


@dataclass(frozen=True)
class Tensor:
    """A tensor that the pickle describes."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Other:
    """A torch object other than a dense CPU tensor."""

    text: str


@dataclass(frozen=True)
class Storage:
    """The archive record that holds the elements of one or more tensors."""

    dtype: str
    bytes: int
    record: str


def read_state(archive: Archive) -> dict[str, Any]:
    """Read the parts of an inspection from a .pth archive.

    Raises:
        ValueError: the pickle has no named tensors, calls a function, or claims more elements than are stored.
    """
    top = _Machine(archive).run(archive.read("data.pkl"))
    if not isinstance(top, dict):
        raise ValueError(f"it holds {_kind(top)}, expected a state_dict; save model.state_dict()")
    rows: list[dict[str, Any]] = []
    others: dict[str, str] = {}
    _walk(top, "", rows, others, 0)
    if not rows:
        raise ValueError("it holds no tensor, expected a state_dict; save model.state_dict()")
    facts = {"beside tensors": ", ".join(f"{name} ({kind})" for name, kind in others.items())} if others else {}
    return {"parameters": rows, "facts": facts}


def _walk(value: dict[Any, Any], prefix: str, rows: list[dict[str, Any]], others: dict[str, str], depth: int) -> None:
    """Add the entries of a dictionary, and of dictionaries inside it, to `rows` or `others`."""
    for key, entry in value.items():
        name = cut(f"{prefix}{key}")
        if isinstance(entry, Tensor):
            rows.append({"name": name, "dtype": entry.dtype, "shape": list(entry.shape)})
        elif isinstance(entry, dict) and entry and depth < MAX_DEPTH:
            _walk(entry, f"{name}.", rows, others, depth + 1)
        else:
            others[name] = _kind(entry)
        if len(rows) + len(others) > MAX_TENSORS:
            raise ValueError(f"it holds more than {MAX_TENSORS} tensors and other values")


def _kind(value: Any) -> str:
    return cut(value.text) if isinstance(value, Name | Other) else type(value).__name__


class _Machine:
    """The subset of the pickle machine that a state_dict needs; it builds plain values and tensor descriptions."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if count > MAX_OPCODES:
                    raise ValueError(f"its pickle has more than {MAX_OPCODES} opcodes")
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its pickle is damaged ({type(error).__name__})") from None
        raise ValueError("its pickle is cut off")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in PUTS:
            self._memo[int(argument)] = stack[-1]
        elif name in GETS:
            stack.append(self._memo[int(argument)])
        elif name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "GLOBAL":
            stack.append(_allowed(str(argument)))
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name not in ("PROTO", "FRAME"):
            self._build(name)

    def _build(self, name: str) -> None:
        stack = self._stack
        if name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name == "TUPLE":
            values = self._since_mark()
            stack.append(tuple(values))
        elif name in ("SETITEM", "SETITEMS"):
            values = self._since_mark() if name == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
            for key, value in zip(values[::2], values[1::2], strict=True):
                if type(key) not in (str, int):  # hashing a nested tuple may take forever
                    raise ValueError(f"it has a key of type {_kind(key)}, expected names")
                stack[-1][key] = value
        elif name in ("APPEND", "APPENDS"):
            values = self._since_mark() if name == "APPENDS" else [stack.pop()]
            stack[-1].extend(values)
        elif name == "STACK_GLOBAL":
            second, first = stack.pop(), stack.pop()
            stack.append(_allowed(f"{first} {second}"))
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(self._called(function, arguments))
        elif name == "BUILD":
            stack.pop()  # attributes, such as the versions of modules
        else:
            raise ValueError(f"its pickle has the opcode {name}, which no state_dict needs")

    def _since_mark(self) -> list[Any]:
        place = self._marks.pop()
        values = self._stack[place:]
        del self._stack[place:]
        return values

    def _storage(self, identity: Any) -> Storage:
        _, kind, key, _, count = identity
        record = f"data/{cut(str(key))}" if isinstance(key, str) else ""
        stem = kind.text.removeprefix("torch.").removesuffix("Storage")
        dtype, size = DTYPES.get(stem, (cut(stem), 1))
        if record not in self._archive.records or type(count) is not int:
            raise ValueError(f"it has no record {record!r}, which a tensor needs; it is damaged")
        return Storage(dtype, len(self._archive.records[record]) // size, record)

    def _called(self, function: Any, arguments: Any) -> Any:
        name = function.text
        if name == "collections.OrderedDict" and arguments == ():
            return {}
        if name in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
            return arguments[0]
        if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"):
            storage, offset, size, stride, *rest = arguments
            tensor = _tensor(storage, offset, size, stride)
            return Tensor(rest[2].text.removeprefix("torch."), tensor.shape) if name.endswith("v3") else tensor
        if name.startswith("torch."):
            return Other(name)
        raise ValueError(f"it calls {cut(name)}, expected tensors by name and nothing else")


def _allowed(text: str) -> Name:
    """Resolve a name in the pickle without importing it; only names in torch and collections are allowed."""
    name = text.replace(" ", ".", 1)
    if not name.startswith(("torch.", "collections.")):
        raise ValueError(f"it names {cut(name)}, which is not a tensor; save model.state_dict() and nothing else")
    return Name(name)


def _tensor(storage: Storage, offset: Any, size: Any, stride: Any) -> Tensor:
    if len(size) > MAX_AXES or len(size) != len(stride):
        raise ValueError(f"it has a tensor of {len(size)} axes and {len(stride)} strides, expected at most {MAX_AXES}")
    if any(type(number) is not int or not 0 <= number < 2**63 for number in (offset, *size, *stride)):
        raise ValueError("it has a tensor with invalid sizes; it is damaged")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.bytes:
        raise ValueError(f"it has a tensor of shape {size} that claims more numbers than {storage.record!r} stores")
    return Tensor(storage.dtype, tuple(size))
