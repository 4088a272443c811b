"""Reject artifacts that embed local paths."""

import io
import sys
import zipfile
from mmap import mmap
from pathlib import Path

from linreg.errors import ExportError


def check_no_paths(name: str, data: bytes | mmap) -> None:
    """Check that neither a file nor, if it is an archive, any of its records contains a local path.

    Raises:
        ExportError: the file contains a path, because the module holds one as a constant or in a name.
    """
    contents = data
    if isinstance(data, bytes) and data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contents = data + b"\n".join(archive.read(record) for record in archive.namelist())
    for folder in (Path.cwd(), Path.home(), Path(sys.prefix)):
        path = str(folder).rstrip("/") + "/"
        if len(folder.parts) > 1 and contents.find(path.encode()) >= 0:
            raise ExportError(
                f"{name}: would contain the local path {path!r}, which the module keeps as a constant; "
                "remove it from the module"
            )
