"""A bundle is a folder that holds one model in all its file formats."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from linreg.escaping import html_table, printable, text_table
from linreg.manifest import Manifest, read_manifest

HEADINGS = ("file", "bytes")


@dataclass(frozen=True, kw_only=True, repr=False)
class Bundle(os.PathLike[str]):
    """A folder that linreg has written. It is accepted wherever a path is.

    Attributes:
        path: the folder.
        manifest: the manifest of the folder; None if it has none.
    """

    path: Path
    manifest: Manifest | None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        files = self.manifest.files if self.manifest else ()
        names = [printable(entry.name) for entry in files if entry.proof]
        return f"Bundle({', '.join([repr(str(self.path)), *names])})"

    def __str__(self) -> str:
        return "\n".join([printable(str(self.path)), text_table(HEADINGS, self._rows())])

    def _repr_html_(self) -> str:
        return html_table(HEADINGS, self._rows(), caption=str(self.path))

    def _rows(self) -> list[tuple[str, str]]:
        """Return the name and size of each file; a folder of test vectors is one row."""
        files = self.manifest.files if self.manifest else ()
        sizes: Counter[str] = Counter()
        for entry in files:
            folder, slash, _ = entry.name.partition("/")
            sizes[folder + slash] += entry.bytes
        return [(name, f"{size:,}") for name, size in sizes.items()]


def open_bundle(path: Path) -> Bundle:
    """Read the manifest of a bundle.

    Raises:
        ModelError: the manifest is damaged.
    """
    return Bundle(path=path, manifest=read_manifest(path))
