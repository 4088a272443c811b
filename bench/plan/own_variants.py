"""Add the user's own rows; each is the `FILE.py:NAME` of a function that returns an `export.runners.base.Runner`."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from bench.plan.variants import NULL, Kind, Variant
from linreg.errors import LinregError


def own_variants(places: Sequence[str], *, taken: Collection[str]) -> list[Variant]:
    """Return the rows of functions given as `FILE.py:NAME`, each named after its function.

    Args:
        places: `FILE.py:NAME` of each function.
        taken: names of the other rows.

    Raises:
        LinregError: two rows have the same name.
    """
    rows = [Variant(name=place.rpartition(":")[2], kind=Kind.FACTORY, file=place) for place in places]
    names = [*taken, NULL, *(row.name for row in rows)]
    for row in rows:
        if names.count(row.name) > 1:
            raise LinregError(f"--variant {row.file}: another row is called {row.name}; rename the function")
    return rows


def load_factory(place: str) -> Callable[[], Any]:
    """Run the file of a `FILE.py:NAME`, and return the function that it names.

    Raises:
        LinregError: the file or the name does not exist, or the name is not callable.
    """
    from export.source.user_module import load_name

    made = load_name(place, "--variant", "a function that returns a Runner")
    if not callable(made):
        raise LinregError(f"{place}: is {type(made).__name__}, expected a function that returns a Runner")
    function: Callable[[], Any] = made
    return function
