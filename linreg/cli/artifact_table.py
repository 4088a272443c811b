"""The table of exported artifacts and their errors against the float64 oracle."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note, show_table

if TYPE_CHECKING:
    from export.bundle.write import Artifact
    from export.formats.names import Format

HEADINGS = ("file", "needs", "size", "cases", "error / allowed", "bit-equal")
"""Bit-equal to the outputs of eager mode."""


def show_artifacts(title: str, artifacts: "list[Artifact]", refused: "Iterable[Format]" = ()) -> None:
    """Print one row per file, and one row without figures per refused format."""
    rows = [
        [
            artifact.path.name,
            artifact.needs,
            f"{artifact.bytes:,} B",
            str(artifact.verification.cases),
            f"{artifact.verification.worst_error:.3f}",
            "yes" if artifact.verification.bytes_equal else "no",
        ]
        for artifact in artifacts
    ]
    rows += [[kind.value, "refused", "", "", "", ""] for kind in refused]
    show_table(title, HEADINGS, rows, left=2)
    for artifact in artifacts:
        for case in artifact.verification.not_judged:
            note(f"{artifact.path.name}: {case}: the module's own rounding error is too large (not judged)")
        for case, answer in artifact.details.get("probes", {}).items():
            if answer != "same bytes as eager":
                note(f"{artifact.path.name}: {case}: {answer} (not judged)")
        note(f"sha256 {artifact.sha256}  {artifact.path}")


def describe(artifact: "Artifact") -> dict[str, Any]:
    """Convert an artifact to JSON values."""
    return {
        "path": str(artifact.path),
        "bytes": artifact.bytes,
        "sha256": artifact.sha256,
        "duration_s": artifact.duration_s,
        **artifact.proof(),
    }
