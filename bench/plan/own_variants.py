"""Rows of the user's own, each from `FILE.py:NAME`, a function that returns an `export.runners.base.Runner`."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from bench.plan.variants import NULL, Kind, Variant
from linreg.errors import LinregError


def own_variants(places: Sequence[str], *, taken: Collection[str]) -> list[Variant]:
    """Rows of the user's own, each from `FILE.py:NAME`, a function that makes an `export.runners.base.Runner`.

    Args:
        places: where they are made.
        taken: names of the other rows.

    Raises:
        LinregError: two rows have one name.
    """
    rows = [Variant(name=place.rpartition(":")[2], kind=Kind.FACTORY, file=place) for place in places]
    names = [*taken, NULL, *(row.name for row in rows)]
    for row in rows:
        if names.count(row.name) > 1:
            raise LinregError(
                f"--variant {row.file}: there is another row called {row.name}; give it a name of its own"
            )
    return rows


def load_factory(place: str) -> Callable[[], Any]:
    """The function `FILE.py:NAME`; the file is run.

    Raises:
        LinregError: it is not there, or not a function.
    """
    from export.source.user_module import load_name

    made = load_name(place, "--variant", "a function that makes a Runner")
    if not callable(made):
        raise LinregError(f"{place}: is {type(made).__name__}, expected a function that makes a Runner")
    function: Callable[[], Any] = made
    return function
