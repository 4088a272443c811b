"""Name the cases that a proof leaves out, with what they would take."""

from export.proof.budget import Spending, about
from export.proof.cases import PlannedCase
from export.proof.memory import bytes_at
from export.proof.sizes import TriedSizes, all_sizes
from export.source.axes import in_words as words
from export.source.source import Source
from linreg.memory import in_words

MOST_NAMED = 3
"""More sizes at which the same kind of values was not tried are counted, not named."""


def left_out(skipped: list[PlannedCase], planned: list[PlannedCase], spending: Spending) -> list[str]:
    """What was left out to stay within the budget, with the time it would take; the cases of whole sizes in one.

    The same kind of values at many sizes is one entry, such as `negated at 9 sizes`.
    """
    whole: list[str] = []
    kinds: dict[str, list[PlannedCase]] = {}
    for text in dict.fromkeys(words(case.sizes) for case in skipped):
        left = [case for case in skipped if words(case.sizes) == text]
        if len(left) == sum(words(case.sizes) == text for case in planned):
            whole.append(f"{text} ({about(len(left) * spending.estimate_s(left[0].elements))})")
        else:
            for case in left:
                kinds.setdefault(case.name.removeprefix(f"{text}, "), []).append(case)
    named: list[str] = []
    for kind, cases in kinds.items():
        costs_s = [spending.estimate_s(case.elements) for case in cases]
        if len(cases) <= MOST_NAMED:
            named += [f"{case.name} ({about(cost_s)})" for case, cost_s in zip(cases, costs_s, strict=True)]
        else:
            named.append(f"{kind} at {len(cases)} sizes ({about(sum(costs_s))})")
    return [*named, *whole]


def too_large(source: Source, tried: list[TriedSizes]) -> list[str]:
    """The batch sizes that were left out to stay within memory."""
    return [
        f"{words(entry.sizes)} (about {in_words(bytes_at(source, entry.sizes))})"
        for entry in all_sizes(source)
        if entry not in tried
    ]
