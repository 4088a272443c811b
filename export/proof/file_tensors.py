"""The tensors in a file, found by their bits in any layout and under any name."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")

MAX_PERMUTED_AXES = 4
"""Tensors with more axes are found only in their own order of axes."""

PIECES = (2, 3, 4)
"""How many equal pieces a tensor may be split into: attention has 3 in one tensor, an LSTM 4."""

LEAST_DISTINCTIVE = 8
"""Smaller tensors may be equal by chance, so a part of a tensor is not recognised in them, nor damage to them."""

BLOCK_BYTES = 2**26
"""Arrays are hashed and compared in blocks of about this size, so that a large one needs no second copy."""

DAMAGED_SHARE = 0.01
"""The share of the elements of a damaged copy that differ; at least two may."""

CLOSE_UNITS = 4
"""How many roundings of its dtype an element may differ if the exporter computed it in another order."""


class FileTensors:
    """Finds arrays among the tensors of a file. Each tensor is hashed at most once for each size of its pieces.

    Attributes:
        by_name: the tensors; dtypes that NumPy lacks are integers of the same bits.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self.by_name = {name: _plain(array) for name, array in tensors.items()}
        self._explained: set[str] = set()
        self._parts: dict[tuple[str, int, int], set[int]] = {}
        self._wholes: dict[tuple[str, int], list[str]] = {}
        self._digests: dict[tuple[str, int], dict[bytes, list[str]]] = {}
        self._piece_digests: dict[tuple[str, int], dict[bytes, list[tuple[str, int, int, int]]]] = {}
        for name, array in self.by_name.items():
            self._wholes.setdefault(_kind(array), []).append(name)

    def explain(self, name: str) -> None:
        """Record that the content of a tensor is known, so that it is not searched for damage."""
        self._explained.add(name)

    def explain_numbers(self, numbers: Iterable[float]) -> None:
        """Record that these numbers are known, as tensors of one element in any floating dtype."""
        for name in self.unexplained():
            array = self.by_name[name]
            if array.size == 1 and any(array.reshape(-1)[0] == array.dtype.type(number) for number in numbers):
                self._explained.add(name)

    def unexplained(self) -> tuple[str, ...]:
        """The names of the floating tensors whose content is not known."""
        return tuple(name for name, array in self.by_name.items() if name not in self._explained and _floating(array))

    def may_explain(self, wanted: Array) -> bool:
        """Whether the file holds a tensor of unknown content with the size and dtype of an array."""
        return any(name not in self._explained for name in self._wholes.get(_kind(_plain(wanted)), []))

    def finds(self, wanted: Array) -> bool:
        """Whether the file holds an array whole, split into equal pieces, or as one of the pieces of a tensor."""
        wanted = _plain(wanted)
        if self._finds_whole(wanted):
            return True
        if wanted.dtype.kind == "c":  # as pairs of real and imaginary part
            return self.finds(np.ascontiguousarray(wanted)[..., None].view(wanted.real.dtype))
        if not _distinctive(wanted):
            return False
        for _, pieces in _splits(wanted):
            if all(self._finds_whole(piece) for piece in pieces):
                return True
        return self._finds_piece(wanted)

    def finds_close(self, wanted: Array) -> bool:
        """Whether a tensor equals an array but for the last digits of its elements."""
        if wanted.dtype.kind != "f" or not wanted.size:
            return False
        for name in self._wholes.get(_kind(wanted), []):
            flat = self.by_name[name].reshape(-1)
            if any(_equal(flat, layout.reshape(-1), CLOSE_UNITS).all() for layout in _layouts(wanted)):
                self._explained.add(name)
                return True
        return False

    def damaged_copy(self, wanted: Array, *, units: int = 0) -> tuple[str, int] | None:
        """The name of a tensor that is a copy of an array but for a few elements or a rounding to 16 bits.

        Args:
            wanted: the array.
            units: how many roundings of its dtype an element of a copy may differ.

        Returns:
            The name, and the number of elements that differ; None if no tensor of unknown content is like that.
        """
        if wanted.dtype.kind != "f" or not _distinctive(wanted):
            return None
        for form in (wanted, *(piece for _, pieces in _splits(wanted) for piece in pieces)):
            for name in self._wholes.get(_kind(form), []):
                if name not in self._explained and (differing := _damage(self.by_name[name], form, units)):
                    return name, differing
        return None

    def _finds_whole(self, wanted: Array) -> bool:
        key = _kind(wanted)
        if key not in self._wholes:
            return False
        if key not in self._digests:
            self._digests[key] = _grouped((_digest(self.by_name[name]), name) for name in self._wholes[key])
        digests = self._digests[key]
        for layout in _layouts(wanted):
            if (names := digests.get(_digest(layout))) is not None:
                self._explained.update(names)
                return True
        return False

    def _finds_piece(self, wanted: Array) -> bool:
        """Whether an array is one of the equal pieces of a tensor, whose content is known once all pieces are."""
        key = _kind(wanted)
        if key not in self._piece_digests:
            self._piece_digests[key] = _grouped(
                (_digest(piece), (name, axis, place, len(pieces)))
                for name, array in self.by_name.items()
                if array.dtype == wanted.dtype and array.size in [wanted.size * count for count in PIECES]
                for axis, pieces in _splits(array)
                for place, piece in enumerate(pieces)
                if piece.size == wanted.size
            )
        digests = self._piece_digests[key]
        for layout in _layouts(wanted) if digests else ():
            if (found := digests.get(_digest(layout))) is not None:
                for name, axis, place, count in found:
                    known = self._parts.setdefault((name, axis, count), set())
                    known.add(place)
                    if len(known) == count:
                        self._explained.add(name)
                return True
        return False


def same_bits(found: Array, wanted: Array) -> bool:
    """Whether two arrays have the same dtype, size and bits, whatever their shapes."""
    found, wanted = _plain(found), _plain(wanted)
    if _kind(found) != _kind(wanted):
        return False
    ours, theirs = _bytes_of(found), _bytes_of(wanted)
    return all(
        np.array_equal(ours[start : start + BLOCK_BYTES], theirs[start : start + BLOCK_BYTES])
        for start in range(0, len(ours), BLOCK_BYTES)
    )


def _bytes_of(array: Array) -> Array:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _grouped(pairs: Iterable[tuple[bytes, T]]) -> dict[bytes, list[T]]:
    groups: dict[bytes, list[T]] = {}
    for digest, found in pairs:
        groups.setdefault(digest, []).append(found)
    return groups


def _plain(array: Array) -> Array:
    if array.dtype.kind in "biufc":
        return array
    return np.ascontiguousarray(array).view(np.int16 if array.dtype.itemsize == 2 else np.uint8)


def _kind(array: Array) -> tuple[str, int]:
    return array.dtype.name, array.size


def _digest(array: Array) -> bytes:
    digest = sha256()
    rows = max(1, BLOCK_BYTES * len(array) // array.nbytes) if array.ndim and array.nbytes else 1
    for start in range(0, len(array) if array.ndim else 1, rows):
        block = array[start : start + rows] if array.ndim else array
        digest.update(np.ascontiguousarray(block).data if block.size else b"")
    return digest.digest()


def _floating(array: Array) -> bool:
    return array.dtype.kind in "fc" and array.size > 0


def _distinctive(array: Array) -> bool:
    if array.size < LEAST_DISTINCTIVE:
        return False
    first, rows = array.flat[0], max(1, BLOCK_BYTES * len(array) // array.nbytes)
    return any(bool((array[start : start + rows] != first).any()) for start in range(0, len(array), rows))


def _layouts(array: Array) -> Iterator[Array]:
    yield array
    if sum(size > 1 for size in array.shape) > 1 and array.ndim <= MAX_PERMUTED_AXES:
        for axes in list(permutations(range(array.ndim)))[1:]:
            yield array.transpose(axes)


def _splits(array: Array) -> Iterator[tuple[int, list[Array]]]:
    for axis in {0, array.ndim - 1} if array.ndim else ():
        for count in PIECES:
            if array.shape[axis] % count == 0 and array.shape[axis] > 0:
                yield axis, np.split(array, count, axis)


def _damage(found: Array, wanted: Array, units: int) -> int:
    """How many elements of a damaged copy differ; 0 if it is none."""
    most = max(2, int(found.size * DAMAGED_SHARE))
    flat = found.reshape(-1)
    for layout in _layouts(wanted):
        right = layout.reshape(-1)
        differing = int((~_equal(flat, right, units)).sum())
        if 0 < differing <= most or (differing and _is_rounded(flat, right)):
            return differing
    return 0


def _equal(found: Array, wanted: Array, units: int) -> NDArray[np.bool_]:
    """Which elements are equal to within some units of rounding, and half a unit of the largest element."""
    equal: NDArray[np.bool_] = found == wanted
    if units:
        unit = float(np.finfo(wanted.dtype).eps)
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.abs(wanted.astype(np.float64))
            largest = size.max(initial=0.0, where=np.isfinite(size))
            equal |= np.abs(found.astype(np.float64) - wanted) <= unit * (units * size + largest / 2)
    return equal


def _is_rounded(found: Array, exact: Array) -> bool:
    """Whether an array was rounded to float16 or bfloat16."""
    with np.errstate(over="ignore"):
        if np.array_equal(found, exact.astype(np.float16).astype(exact.dtype)):
            return True
    if exact.dtype != np.float32:
        return False
    bits = exact.view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.array_equal(found, rounded)
