"""Tables that a URI names, in any file system that pyarrow knows."""

import glob
import re
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.fs

from linreg.errors import DataError, one_line
from linreg.reading.patterns import check_folder, is_ignored, matches, parts_before_pattern
from linreg.reading.place import Place, tag_of

RETRY_SECONDS = 60
"""For Google Cloud Storage, which pyarrow tries for 15 minutes by default."""

URI = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
SECRET_OPTIONS = re.compile(r"[?&][^=&]*(key|secret|token|sig|password)[^=&]*=", re.IGNORECASE)
URI_OPTIONS = re.compile(r"\?[a-z_]+=")
"""Begins the options of a file system, as in s3://bucket/a.csv?region=eu-north-1; another ? is part of a pattern."""
ENCODED = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)
RESERVED = re.compile(r"[%?#*\[]")
"""What stands for itself in a path, but not in a URI with a pattern."""


def _check_no_secret(uri: str) -> None:
    """Refuse a URI that holds a password, which messages would show."""
    authority = uri.partition("://")[2].partition("/")[0]
    user = authority.rpartition("@")[0]
    if ":" in user or SECRET_OPTIONS.search(uri):
        raise DataError(
            f"{uri.partition('://')[0]}://...: the URI holds a password or key, which messages would show; "
            "put it into the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def of_uri(uri: str) -> list[Place]:
    """Find the files of a table by a URI.

    Raises:
        DataError: there is none, one is unreadable, or the URI holds a password.
    """
    _check_no_secret(uri)
    end = found.start() if (found := URI_OPTIONS.search(uri)) else len(uri)
    address, options, scheme = uri[:end], uri[end:], uri.partition("://")[0]
    given = parts_before_pattern(address.split("/"))
    pattern = [_decoded(part) for part in address.split("/")[len(given) :]]
    try:
        system, path = pyarrow.fs.FileSystem.from_uri(_encoded("/".join(given)) + _with_patience(scheme, options))
        info = system.get_file_info(path)
        if info.type == pyarrow.fs.FileType.NotFound:
            raise DataError(f"{uri}: no such file; check the name and the folder")
        if info.is_file and not pattern:
            return [_place(uri, info, system)]
        entries = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=len(pattern) > 1))
        within = {entry.path: entry.path.removeprefix(path.rstrip("/")).strip("/").split("/") for entry in entries}
        entries = sorted((entry for entry in entries if not is_ignored(within[entry.path])), key=lambda e: e.path)
        if pattern:
            entries = [entry for entry in entries if entry.is_file and matches(within[entry.path], pattern)]
            if not entries:
                raise DataError(f"{uri}: no file matches this pattern; check the name and the folder")
        check_folder(address, [entry.base_name for entry in entries if not entry.is_file], len(entries), options)
        return [_place(f"{scheme}://{RESERVED.sub(_in_percent, entry.path)}", entry, system) for entry in entries]
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise DataError(f"{uri}: cannot be read: {_what_failed(error)}") from None


def _place(name: str, info: Any, system: Any) -> Place:
    tag = None
    if not isinstance(system, pyarrow.fs.LocalFileSystem):
        with system.open_input_file(info.path) as file:
            tag = tag_of(file)
    return Place(name=name, path=info.path, size_bytes=info.size, modified_ns=info.mtime_ns, system=system, tag=tag)


def _in_percent(found: re.Match[str]) -> str:
    return quote(found[0], safe="")


def _encoded(address: str) -> str:
    """Return an address with what a URI cannot hold, such as a space, percent-encoded; `#` is part of a name."""
    return quote(re.sub(r"%(?![0-9a-fA-F]{2})", "%25", address), safe="%!$&'()*+,;=:@/~", errors="surrogateescape")


def _decoded(part: str) -> str:
    """Return a part of a pattern without percent-encoding; what was encoded stands for itself."""
    return ENCODED.sub(lambda found: glob.escape(unquote(found[0])), part)


def _with_patience(scheme: str, options: str) -> str:
    """Return the options of a URI, with a limit on the time that a store which does not answer is tried again."""
    if scheme.lower() not in ("gs", "gcs") or "retry_limit_seconds" in options:
        return options
    return f"{options}{'&' if options else '?'}retry_limit_seconds={RETRY_SECONDS}"


def _what_failed(error: Exception) -> str:
    if "Unrecognized filesystem type" in str(error):
        return "its scheme is unknown, expected s3, gs, abfs, hdfs or file; fetch it to a file first"
    if isinstance(error, UnicodeError):
        return "a name in it is not UTF-8, as pyarrow expects; give its path instead of a URI, or rename the file"
    return one_line(error)
