"""Refuse to write to a URI: as a path, `s3://bucket/a.csv` would become a folder called `s3:` on this machine."""

import re
from pathlib import Path

from linreg.errors import LinregError

_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>.*)", re.IGNORECASE)
"""A scheme of two letters or more, since `c:/x` is a path of Windows; Path has made one slash of two."""


def check_local(path: Path | str) -> None:
    """Check that a path to write to is no URI.

    Raises:
        LinregError: it is one.
    """
    if (found := _URI.match(str(path))) is None:
        return
    uri = f"{found['scheme']}://{found['rest']}"
    if found["scheme"].lower() == "file":
        local = "/" + found["rest"].removeprefix("localhost/")
        raise LinregError(f"file://{local}: is a URI, expected a path on this machine; give it as {local}")
    raise LinregError(
        f"{uri}: is a URI, expected a path on this machine; write to one, then copy it with the tool of your storage"
    )
