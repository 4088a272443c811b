"""Sort the rows of a comparison by ratio, name the fastest, and say in one line what each comparison answers."""

from dataclasses import dataclass

from bench.analysis.parts import Comparison, Row, RuntimeRow, Status
from bench.analysis.statistics import Ratio, Verdict
from bench.plan.variants import NULL
from bench.report.environments import environment_lines
from bench.report.numbers import number
from bench.report.report import Report


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


def by_ratio(comparison: Comparison) -> list[Row]:
    """Return the rows of a comparison in the order of their ratios, without those that were skipped.

    The null row follows the reference, which it is a copy of. Then come rows without a ratio, such as the empty call,
    and at last rows with wrong outputs. With several references, each row follows its own.
    """
    shown = [row for row in comparison.rows if row.status is not Status.SKIPPED]
    if _has_several_references(comparison):
        return shown

    def place(row: Row) -> tuple[int, float]:
        if row.status is Status.WRONG:
            return 2, 0.0
        if row.is_reference or row.name == NULL:
            return 0, 1.0
        return (1, 0.0) if row.ratio is None else (0, row.ratio.estimate)

    return sorted(shown, key=place)


def fastest(comparison: Comparison) -> Fastest | None:
    """Return the fastest row; None if no row is shown to be faster than the reference, or with several references."""
    if _has_several_references(comparison):
        return None
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


def runtimes_by_ratio(report: Report) -> list[RuntimeRow]:
    """Return the rows of the runtimes by batch size, the fastest first."""
    rows = report.runtimes.rows if report.runtimes else ()
    return sorted(rows, key=lambda row: (row.batch, row.ratio.estimate if row.ratio else 1.0))


def _has_several_references(comparison: Comparison) -> bool:
    """Return whether the rows of environments are compared, each with the same row in the first environment."""
    return sum(row.is_reference for row in comparison.rows) > 1


def answers(report: Report) -> list[str]:
    """Return one line for each comparison: its fastest row beside the reference, with the interval of their ratio.

    For a comparison of environments, they say instead what each environment gives.
    """
    if report.environments is not None:
        return environment_lines(report.environments)
    compared = [
        comparison
        for comparison in report.comparisons
        if any(row.verdict is not None and row.status is Status.TIMED for row in comparison.rows)
    ]
    settings = {(comparison.device, comparison.threads) for comparison in compared}
    return [
        f"{_place(comparison, alone=len(settings) == 1)}: {_answer(report.reference, comparison)}"
        for comparison in compared
    ]


def _place(comparison: Comparison, *, alone: bool) -> str:
    batch = f"batch {comparison.batch}"
    return batch if alone else f"{batch}, threads {comparison.threads}, {comparison.device.upper()}"


def _answer(reference: str, comparison: Comparison) -> str:
    best = fastest(comparison)
    if best is None:
        return f"nothing is shown to be faster than {reference}"
    text = f"{best.name} takes {number(best.ratio.estimate)} of the time of {reference}"
    text += f" ({number(best.ratio.low)} to {number(best.ratio.high)})"
    if not best.peers:
        return text
    named = " and ".join(best.peers) if len(best.peers) < 3 else f"{len(best.peers)} others"
    return f"{text}; {named} may be as fast"
