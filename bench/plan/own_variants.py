"""The user's own rows: each is a function, `FILE.py:NAME`, that returns an `export.runners.base.Runner`."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from bench.plan.variants import NULL, Kind, Variant
from linreg.errors import LinregError


def own_variants(places: Sequence[str], *, taken: Collection[str]) -> list[Variant]:
    """Return the rows of functions given as `FILE.py:NAME`, each named after its function.

    Args:
        places: the functions.
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
    """Run a file and return the function `FILE.py:NAME`.

    Raises:
        LinregError: there is no such file or name, or it is not callable.
    """
    from export.source.user_module import load_name

    made = load_name(place, "--variant", "a function that returns a Runner")
    if not callable(made):
        raise LinregError(f"{place}: is {type(made).__name__}, expected a function that returns a Runner")
    function: Callable[[], Any] = made
    return function
