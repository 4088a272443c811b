"""Sort the rows of a comparison by ratio."""

from bench.analysis.parts import Comparison, Row, Status
from bench.plan.variants import NULL


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
