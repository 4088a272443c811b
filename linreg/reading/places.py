"""Where a table is: a file here, or one that a URI names."""

import glob
import sys
from pathlib import Path

from linreg.errors import DataError
from linreg.reading.patterns import IGNORED, check_folder, is_ignored, parts_before_pattern
from linreg.reading.pipe import Pipe
from linreg.reading.place import Place, place_of
from linreg.reading.uris import URI, of_uri


def places_of(table: Path | str) -> list[Place]:
    """Find the files of a table: of a file, a folder, a glob, a URI that `pyarrow.fs` knows, or `-` for a pipe.

    Files are sorted by name. In a folder, names that begin with a point or an underscore are no part of the table.

    Raises:
        DataError: there is none, or one is unreadable.
    """
    text = str(table)
    if text == "-":
        return [_of_stdin()]
    if isinstance(table, str) and URI.match(text):
        return of_uri(text)
    path = Path(text)
    try:
        if path.is_dir():
            return _in_folder(path)
        is_pattern = glob.has_magic(text) and not path.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if is_pattern:
        found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207, a whole path
        given = len(parts_before_pattern(path.parts))
        places = [place_of(entry) for entry in found if not entry.is_dir() and not is_ignored(entry.parts[given:])]
        if not places:
            raise DataError(f"{text}: no file matches this pattern; check the name and the folder")
        return places
    return [place_of(path)]


def _of_stdin() -> Place:
    if sys.stdin is None or sys.stdin.isatty():
        got = "is closed" if sys.stdin is None else "is a terminal"
        raise DataError(f"-: stdin {got}, expected a CSV from a pipe or a file, as in: linreg COMMAND - < FILE")
    return Place(name="-", path="-", size_bytes=None, pipe=Pipe(sys.stdin.buffer))


def _in_folder(folder: Path) -> list[Place]:
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(IGNORED)]
    check_folder(str(folder), [entry.name for entry in entries if entry.is_dir()], len(entries))
    return [place_of(entry) for entry in entries]
