"""The cases that a proof with enough time judges."""

from collections.abc import Iterator

from export.proof.cases import Case, planned_cases
from export.proof.runnable import check_sizes
from export.proof.sizes import sizes_within
from export.source.source import Source


def judged_cases(source: Source) -> Iterator[Case]:
    """Yield the cases of `planned_cases` that need at most `LIMIT_BYTES`.

    Raises:
        ExportError: the module does not run at one of the batch sizes.
    """
    if source.affine is None:
        check_sizes(source, [entry.sizes for entry in sizes_within(source)])
    for planned in planned_cases(source, sizes_within(source)):
        yield planned.make()
