"""The whole numbers that are right where the values behind them tie within the error allowed. Needs no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """Values that an operator ranked, and the labels (places along an axis) that it returned in their order.

    Attributes:
        values: the ranked values.
        reach: how far apart values may be and still tie, along `axis` of size 1.
        labels: the labels of the exact values.
        axis: the axis of `values` that labels count along.
        keeps_axis: whether `labels` has that axis.
    """

    values: Array
    reach: Array
    labels: Array
    axis: int
    keeps_axis: bool

    def tied(self) -> NDArray[np.bool_]:
        """Where another label is right as well."""
        order = np.argsort(self.values, axis=self.axis)
        ranked = np.moveaxis(np.take_along_axis(self.values, order, self.axis), self.axis, -1)
        near = self._near(ranked[..., 1:], ranked[..., :-1], np.moveaxis(self.reach, self.axis, -1))
        edge = np.zeros((*near.shape[:-1], 1), np.bool_)
        beside = np.concatenate([near, edge], axis=-1) | np.concatenate([edge, near], axis=-1)
        tied = np.zeros(self.values.shape, np.bool_)
        np.put_along_axis(tied, order, np.moveaxis(beside, -1, self.axis), self.axis)
        return self._like_labels(np.take_along_axis(tied, self._placed(self.labels), self.axis))

    def allows(self, labels: Array, eager: Array) -> NDArray[np.bool_]:
        """Where labels are those of eager, or name values of the same rank, each label once."""
        placed, count = self._placed(labels), self.values.shape[self.axis]
        inside = (placed >= 0) & (placed < count)
        got = np.take_along_axis(self.values, np.clip(placed, 0, count - 1), self.axis)
        wanted = np.take_along_axis(self.values, self._placed(self.labels), self.axis)
        once = (np.diff(np.sort(placed, axis=self.axis), axis=self.axis) > 0).all(axis=self.axis, keepdims=True)
        near = inside & self._near(got, wanted, self.reach)
        return self._like_labels(once & (near | (placed == self._placed(eager))))

    def _near(self, one: Array, other: Array, reach: Array) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            near: NDArray[np.bool_] = (one == other) | (np.abs(one - other) <= reach)
        return near

    def _placed(self, labels: Array) -> Array:
        return labels if self.keeps_axis else np.expand_dims(labels, self.axis)

    def _like_labels(self, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return found if self.keeps_axis else np.squeeze(found, self.axis)


@dataclass(frozen=True, kw_only=True, eq=False)
class Alternatives:
    """Whole numbers that are right as well, since the values that they come from tie within the error allowed.

    Attributes:
        ranking: the values behind labels; None for other whole numbers.
        samples: outputs of perturbed runs, which count where there is no ranking.
    """

    ranking: Ranking | None
    samples: tuple[Array, ...]

    def arrays(self) -> dict[str, Array]:
        """Return all that it holds as arrays by name; `alternatives_of` is the inverse."""
        ranking = (
            {} if self.ranking is None else {f"ranking/{key}": np.asarray(e) for key, e in vars(self.ranking).items()}
        )
        return ranking | {f"sample/{place}": sample for place, sample in enumerate(self.samples)}

    def places(self, eager: Array) -> NDArray[np.bool_]:
        """Where more than one whole number is right."""
        if self.ranking is not None:
            return self.ranking.tied()
        return _any(eager.shape, (sample != eager for sample in self.samples))

    def allow(self, output: Array, eager: Array) -> NDArray[np.bool_]:
        """Where the numbers of an output are right."""
        if self.ranking is not None:
            return self.ranking.allows(output, eager)
        return _any(output.shape, (sample == output for sample in (eager, *self.samples)))


def alternatives_of(arrays: Mapping[str, Array]) -> Alternatives | None:
    """Return the alternatives of what `Alternatives.arrays` returned; None if there is nothing."""
    if not arrays:
        return None
    samples = tuple(arrays[f"sample/{place}"] for place in range(sum(key.startswith("sample/") for key in arrays)))
    if "ranking/values" not in arrays:
        return Alternatives(ranking=None, samples=samples)
    ranking = Ranking(
        values=arrays["ranking/values"],
        reach=arrays["ranking/reach"],
        labels=arrays["ranking/labels"],
        axis=int(arrays["ranking/axis"]),
        keeps_axis=bool(arrays["ranking/keeps_axis"]),
    )
    return Alternatives(ranking=ranking, samples=samples)


def _any(shape: tuple[int, ...], found: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    result = np.zeros(shape, np.bool_)
    for one in found:
        result |= one
    return result
