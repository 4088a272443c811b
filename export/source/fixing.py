"""Fix dynamic axes: `--static` for all of them, `--static h=224,w=224` for some, without importing torch."""

import re
from collections.abc import Iterable, Mapping, Sequence

from export.source.axes import BATCH, Axis
from linreg.errors import ExportError

Static = bool | str | Sequence[str] | Mapping[str, int | None]
"""True for all axes; names of axes, such as `h` or `h=224,w`; or sizes by name, None for the default."""

ALL = "*"
"""How the command line passes a `--static` without a value."""

ENTRY = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:=(?P<size>0*[1-9][0-9]{0,11}))?", re.ASCII)


def parse_static(static: Static) -> bool | dict[str, int | None]:
    """Return the axes to fix, by name, with the sizes that were given; True for all of them, False for none.

    Raises:
        ExportError: the text is not of the form `h` or `h=224,w=224`, or a size is not a whole number from 1.
    """
    if isinstance(static, bool):
        return static
    if static == ALL:
        return True
    if isinstance(static, Mapping):
        named = {str(name): size for name, size in static.items()}
        for name, size in named.items():
            if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
                raise ExportError(f"--static: got {size!r} for axis {name!r}, expected a whole number from 1")
        return named
    texts = [static] if isinstance(static, str) else list(static)
    found: dict[str, int | None] = {}
    for text in (part.strip() for entry in texts for part in str(entry).split(",")):
        match = ENTRY.fullmatch(text)
        if match is None:
            raise ExportError(
                f"--static: got {text!r}, expected the name of an axis, or h=224, or several: h=224,w=224"
            )
        found[match["name"]] = None if match["size"] is None else int(match["size"])
    return found


def fixed_sizes(static: Static, axes: Iterable[Axis]) -> dict[str, int]:
    """Return the sizes of the axes to fix, by name. Without a size, the smallest of the range is used, or a batch of 1.

    Raises:
        ExportError: an axis does not exist, has neither a size nor a range, or its size is outside of its range.
    """
    known = {axis.name: axis for axis in axes}
    wanted = parse_static(static)
    if wanted is False:
        return {}
    named: dict[str, int | None] = dict.fromkeys(known) if wanted is True else dict(wanted)
    for name in named:
        if name not in known:
            raise ExportError(
                f"--static: no input has an axis called {name!r}; expected {' or '.join(known) or 'no axis at all'}"
            )
    open_ = [name for name, size in named.items() if size is None and name != BATCH and known[name] == Axis(name=name)]
    if open_:
        raise ExportError(
            f"--static: the size of {' and '.join(open_)} is open; give it: --static "
            f"{','.join(f'{name}=128' if name in open_ else _written(name, size) for name, size in named.items())}"
        )
    sizes = {name: known[name].least if size is None else size for name, size in named.items()}
    for name, size in sizes.items():
        if known[name].nearest(size) != size:
            raise ExportError(f"--static: got {size} for axis {known[name].described()}, expected a size of its range")
    return sizes


def _written(name: str, size: int | None) -> str:
    return name if size is None else f"{name}={size}"
