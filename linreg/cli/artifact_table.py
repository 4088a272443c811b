"""The table of exported artifacts and their errors against the float64 oracle."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note, show_table

if TYPE_CHECKING:
    from export.bundle.write import Artifact
    from export.formats.names import Format
    from linreg.errors import LinregError

HEADINGS = ("file", "needs", "bytes", "cases", "error / allowed", "bytes as eager")


def show_artifacts(
    title: str, artifacts: "list[Artifact]", refused: "Mapping[Format, LinregError] | None" = None
) -> None:
    """Print one row for each file; refused formats have no figures, and the reasons follow the table."""
    rows = [
        [
            artifact.path.name,
            artifact.needs,
            str(artifact.bytes),
            str(artifact.verification.cases),
            f"{artifact.verification.worst_error:.3f}",
            "yes" if artifact.verification.bytes_equal else "no",
        ]
        for artifact in artifacts
    ]
    rows += [[kind.value, "refused", "", "", "", ""] for kind in refused or {}]
    show_table(title, HEADINGS, rows, left=2)
    for artifact in artifacts:
        for case in artifact.verification.not_judged:
            note(f"{artifact.path.name}: {case}, not judged: the module's own rounding error is too large there")
        if artifact.verification.not_tried:
            note(f"{artifact.path.name}: not tried: {', '.join(artifact.verification.not_tried)}; add --budget all")
        for case, answer in artifact.details.get("probes", {}).items():
            if answer != "same bytes as eager":
                note(f"{artifact.path.name}: {case}, not judged: {answer}")
        note(f"sha256 {artifact.sha256}  {artifact.path}")
    for kind, error in (refused or {}).items():
        text = str(error)
        note(text if text.startswith(kind.value) else f"{kind.value}: {text}")


def describe(artifact: "Artifact") -> dict[str, Any]:
    """Convert an artifact to JSON values."""
    return {
        "path": str(artifact.path),
        "bytes": artifact.bytes,
        "sha256": artifact.sha256,
        "duration_s": artifact.duration_s,
        **artifact.proof(),
    }
