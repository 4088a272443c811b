"""Where a table is: a file here, or one that a URI names."""

import fnmatch
import glob
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs

from linreg.errors import DataError, one_line
from linreg.files import similar_file
from linreg.reading.pipe import Pipe

IGNORED = (".", "_")
RETRY_SECONDS = 60
"""For Google Cloud Storage, which pyarrow tries for 15 minutes by default."""

URI = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
SECRET_OPTIONS = re.compile(r"[?&][^=&]*(key|secret|token|sig|password)[^=&]*=", re.IGNORECASE)
URI_OPTIONS = re.compile(r"\?[a-z_]+=")
"""Begins the options of a file system, as in s3://bucket/a.csv?region=eu-north-1; another ? is part of a pattern."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file with a table, or with a part of one.

    Attributes:
        name: what messages call it.
        path: path in the file system.
        size_bytes: its size; None for a pipe.
        modified_ns: when it was last written; None if that is not known.
        system: the file system; None for a file of this machine.
        contents: the bytes, if they are in memory.
        pipe: the pipe, if it is one.
    """

    name: str
    path: str
    size_bytes: int | None
    modified_ns: int | None = None
    system: Any = None
    contents: bytes | None = field(default=None, repr=False)
    pipe: Pipe | None = None

    @property
    def file(self) -> Path | None:
        """The file, if it is one of this machine; a pipe may be one too, as in `linreg predict - < table.csv`."""
        if self.pipe is not None:
            return Path("/dev/stdin")
        is_here = self.system is None or isinstance(self.system, pyarrow.fs.LocalFileSystem)
        return Path(self.path) if is_here else None

    def open(self) -> Any:
        """Open the file for reading at any offset.

        Raises:
            DataError: it cannot be opened, or was written since it was found: passes would read different numbers.
        """
        if self.pipe is not None:
            return self.pipe.open()
        if self.contents is not None:
            return pa.BufferReader(self.contents)
        self.check_unchanged()
        try:
            return pa.OSFile(self.path) if self.system is None else self.system.open_input_file(self.path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name}: cannot be read: {one_line(error)}") from None

    def check_unchanged(self) -> None:
        """Check that the file was not written since it was found.

        Raises:
            DataError: it was, or it is gone.
        """
        if self.modified_ns is None or self.contents is not None:
            return
        try:
            now = self._status()
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name}: cannot be read: {one_line(error)}") from None
        if now != (self.size_bytes, self.modified_ns):
            raise DataError(f"{self.name}: has changed since it was first read; start again once it is complete")

    def _status(self) -> tuple[int | None, int | None]:
        if self.system is None:
            status = Path(self.path).stat()
            return status.st_size, status.st_mtime_ns
        info = self.system.get_file_info(self.path)
        return info.size, info.mtime_ns

    def unpacked(self, contents: bytes) -> "Place":
        """Return the same place with the bytes of its file, unpacked."""
        return replace(self, contents=contents, size_bytes=len(contents))


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
        return _of_uri(text)
    path = Path(text)
    try:
        if path.is_dir():
            return _in_folder(path)
        is_pattern = glob.has_magic(text) and not path.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if is_pattern:
        found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207, a whole path
        given = len(_parts_before_pattern(path.parts))
        places = [place_of(entry) for entry in found if not entry.is_dir() and not _is_ignored(entry.parts[given:])]
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
    _check_folder(str(folder), [entry.name for entry in entries if entry.is_dir()], len(entries))
    return [place_of(entry) for entry in entries]


def _check_folder(name: str, folders: list[str], entries: int, options: str = "") -> None:
    if folders:
        pattern = f"{name.rstrip('/')}/**/*{options}"
        raise DataError(
            f"{name}: has the folder {folders[0]!r} in it, expected files; name them with a pattern: '{pattern}'"
        )
    if not entries:
        raise DataError(f"{name}: is a folder without files; expected CSV or Parquet")


def _check_no_secret(uri: str) -> None:
    """Refuse a URI that holds a password, which messages would show."""
    authority = uri.partition("://")[2].partition("/")[0]
    user = authority.rpartition("@")[0]
    if ":" in user or SECRET_OPTIONS.search(uri):
        raise DataError(
            f"{uri.partition('://')[0]}://...: the URI holds a password or key, which messages would show; "
            "put it into the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def _of_uri(uri: str) -> list[Place]:
    _check_no_secret(uri)
    end = found.start() if (found := URI_OPTIONS.search(uri)) else len(uri)
    address, options, scheme = uri[:end], uri[end:], uri.partition("://")[0]
    given = _parts_before_pattern(address.split("/"))
    pattern = [unquote(part) for part in address.split("/")[len(given) :]]
    try:
        system, path = pyarrow.fs.FileSystem.from_uri("/".join(given) + _with_patience(scheme, options))
        info = system.get_file_info(path)
        if info.type == pyarrow.fs.FileType.NotFound:
            raise DataError(f"{uri}: no such file; check the name and the folder")
        if info.is_file and not pattern:
            return [Place(name=uri, path=path, size_bytes=info.size, modified_ns=info.mtime_ns, system=system)]
        entries = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=len(pattern) > 1))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{uri}: cannot be read: {_what_failed(error)}") from None
    within = {entry.path: entry.path.removeprefix(path.rstrip("/")).strip("/").split("/") for entry in entries}
    entries = sorted((entry for entry in entries if not _is_ignored(within[entry.path])), key=lambda e: e.path)
    if pattern:
        entries = [entry for entry in entries if entry.is_file and _matches(within[entry.path], pattern)]
        if not entries:
            raise DataError(f"{uri}: no file matches this pattern; check the name and the folder")
    _check_folder(address, [entry.base_name for entry in entries if not entry.is_file], len(entries), options)
    return [
        Place(
            name=f"{scheme}://{entry.path}",
            path=entry.path,
            size_bytes=entry.size,
            modified_ns=entry.mtime_ns,
            system=system,
        )
        for entry in entries
    ]


def _with_patience(scheme: str, options: str) -> str:
    """Return the options of a URI, with a limit on the time that a store which does not answer is tried again."""
    if scheme.lower() not in ("gs", "gcs") or "retry_limit_seconds" in options:
        return options
    return f"{options}{'&' if options else '?'}retry_limit_seconds={RETRY_SECONDS}"


def _what_failed(error: Exception) -> str:
    if "Unrecognized filesystem type" in str(error):
        return "its scheme is unknown, expected s3, gs, abfs, hdfs or file; fetch it to a file first"
    return one_line(error)


def _parts_before_pattern(parts: Sequence[str]) -> list[str]:
    return list(takewhile(lambda part: not glob.has_magic(part), parts))


def _is_ignored(parts: Sequence[str]) -> bool:
    return any(part.startswith(IGNORED) for part in parts)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a pattern; `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**" and _matches(parts, pattern[1:]):
        return True
    here = bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0])
    return here and _matches(parts[1:], pattern if pattern[0] == "**" else pattern[1:])


def place_of(path: Path) -> Place:
    """Find a file of this machine.

    Raises:
        DataError: it is missing, unreadable, or not a regular file.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        near = similar_file(path)
        hint = f"did you mean {near}?" if near else "check the name and the folder"
        raise DataError(f"{path}: no such file; {hint}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder, expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"{path}: is not a regular file; copy its contents to one, or read a CSV from a pipe: linreg COMMAND -"
        )
    return Place(name=str(path), path=str(path), size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
