"""One artifact by itself, without the manifest and the vectors that `export` writes with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.bundle.write import Artifact
    from export.formats.names import Format
    from export.source.source import Source


def write_alone(source: "Source", kind: "Format", folder: Path, **given: Any) -> "Artifact":
    """Make and prove one artifact in a folder, whatever that takes; the inputs that showed a difference are kept."""
    from export.bundle.build import ExportOptions
    from export.bundle.write import make_artifact
    from export.proof.budget import ALL
    from linreg.changes import changing

    given.setdefault("options", ExportOptions(budget_s=ALL))

    with changing(folder, command="a test") as changes:
        try:
            return make_artifact(source, kind, changes, **given)
        finally:
            changes.commit()
