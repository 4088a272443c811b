"""A bundle: the folder that holds one model in every form."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from linreg.escaping import html_table
from linreg.manifest import Manifest, read_manifest


@dataclass(frozen=True, kw_only=True, repr=False)
class Bundle(os.PathLike[str]):
    """A folder that linreg has written; accepted wherever a path is.

    Attributes:
        path: the folder.
        manifest: what it lists; None for a folder without one.
    """

    path: Path
    manifest: Manifest | None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r}, {len(self.manifest.files) if self.manifest else 'no'} files)"

    def _repr_html_(self) -> str:
        files = self.manifest.files if self.manifest else ()
        sizes: Counter[str] = Counter()
        for entry in files:
            folder, slash, _ = entry.name.partition("/")  # a folder of test vectors is one row
            sizes[folder + slash] += entry.bytes
        rows = [(name, f"{size:,}") for name, size in sizes.items()]
        return html_table(("file", "bytes"), rows, caption=str(self.path))


def open_bundle(path: Path) -> Bundle:
    """Read the manifest of a bundle.

    Raises:
        ModelError: the manifest is damaged.
    """
    return Bundle(path=path, manifest=read_manifest(path))
