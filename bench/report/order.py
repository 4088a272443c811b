"""Sort the rows of a comparison by ratio, and name the fastest."""

from dataclasses import dataclass

from bench.analysis.parts import Comparison, Row, Status
from bench.analysis.statistics import Ratio, Verdict
from bench.plan.variants import NULL


@dataclass(frozen=True, kw_only=True)
class Fastest:
    """The fastest row of a comparison.

    Attributes:
        name: name of the row.
        ratio: its ratio to the reference.
        peers: names of the rows that are also faster than the reference, and whose intervals overlap its own.
    """

    name: str
    ratio: Ratio
    peers: tuple[str, ...]


def by_ratio(reference: str, comparison: Comparison) -> list[Row]:
    """Return the rows of a comparison in the order of their ratios, without those that were skipped.

    The null row follows the reference, which it is a copy of. Then come rows without a ratio, such as the empty call,
    and at last rows with wrong outputs.
    """

    def place(row: Row) -> tuple[int, float]:
        if row.status is Status.WRONG:
            return 2, 0.0
        if row.name in (reference, NULL):
            return 0, 1.0
        return (1, 0.0) if row.ratio is None else (0, row.ratio.estimate)

    return sorted((row for row in comparison.rows if row.status is not Status.SKIPPED), key=place)


def fastest(comparison: Comparison) -> Fastest | None:
    """Return the fastest row of a comparison; None if no row is shown to be faster than the reference."""
    faster = sorted(
        (
            (row.ratio.estimate, row.name, row.ratio)
            for row in comparison.rows
            if row.status is Status.TIMED and row.ratio is not None and row.verdict is Verdict.FASTER
        ),
        key=lambda entry: entry[0],
    )
    if not faster:
        return None
    (_, name, best), *others = faster
    return Fastest(name=name, ratio=best, peers=tuple(other for _, other, ratio in others if ratio.low <= best.high))
