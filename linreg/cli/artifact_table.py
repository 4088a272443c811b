"""The table of exported artifacts and their errors against the float64 oracle."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from export.bundle.verified import SAID
from linreg.cli.terminal import note, show_table

if TYPE_CHECKING:
    from export.bundle.write import Artifact
    from export.formats.names import Format

SHOWN_KEYS = 5
"""How many tensors a note names; the manifest and --json name all."""

HEADINGS = ("file", "needs", "size", "cases", "error / allowed", "bit-equal")
"""Bit-equal to the outputs of eager mode."""


def show_artifacts(title: str, artifacts: "list[Artifact]", refused: "Iterable[Format]" = ()) -> None:
    """Print one row per file, and one row without figures per refused format."""
    with_weights = any(artifact.verification.weights for artifact in artifacts)
    headings = (*HEADINGS, "weights") if with_weights else HEADINGS
    rows = [
        [
            artifact.path.name,
            artifact.needs,
            f"{artifact.bytes + artifact.weights_bytes:,} B",
            str(artifact.verification.cases),
            f"{artifact.verification.worst_error:.3f}",
            SAID[artifact.verification.bytes_equal],
            *([_weights(artifact)] if with_weights else []),
        ]
        for artifact in artifacts
    ]
    rows += [[kind.value, "refused", *[""] * (len(headings) - 2)] for kind in refused]
    show_table(title, headings, rows, left=2)
    for artifact in artifacts:
        for case in artifact.verification.not_judged:
            note(f"{artifact.path.name}: {case}: the module's own rounding error is too large (not judged)")
        if levels := artifact.verification.optimisation:
            note(f"{artifact.path.name}: proved with onnxruntime's graph optimisations: {', '.join(levels)}")
        if ties := artifact.verification.ties:
            note(f"{artifact.path.name}: whole numbers differ from eager's in {ties} cases, only where values tie")
        for what in artifact.verification.cannot_fail:
            note(f"{artifact.path.name}: cannot fail: {what}")
        if artifact.verification.not_tried:
            note(f"{artifact.path.name}: not tried: {', '.join(artifact.verification.not_tried)}; add --budget all")
        for case, answer in artifact.details.get("probes", {}).items():
            if answer != "same bytes as eager":
                note(f"{artifact.path.name}: {case}: {answer} (not judged)")
        _note_missing(artifact)
        note(f"sha256 {artifact.sha256}  {artifact.path}")


def _weights(artifact: "Artifact") -> str:
    weights = artifact.verification.weights
    return "" if weights is None else f"{weights.found} of {weights.total}"


def _note_missing(artifact: "Artifact") -> None:
    """Name the tensors of the state_dict that are not in a file."""
    weights = artifact.verification.weights
    if weights is None:
        return
    for keys, what in (
        (weights.covered, "weights not in the file, but a small fault in them would move an output beyond its bound"),
        (weights.unproved, "weights not in the file and not proved, since a small fault in them may not be seen"),
        (weights.without_influence, "not in the file, since no output depends on them"),
    ):
        if keys:
            shown = ", ".join(keys[:SHOWN_KEYS]) + (
                f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
            )
            note(f"{artifact.path.name}: {what}: {shown}")


def describe(artifact: "Artifact") -> dict[str, Any]:
    """Convert an artifact to JSON values."""
    return {
        "path": str(artifact.path),
        "bytes": artifact.bytes,
        "sha256": artifact.sha256,
        "duration_s": artifact.duration_s,
        **artifact.proof(),
    }
