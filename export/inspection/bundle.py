"""Inspect the bundle of a user's own module: its card, and what its manifest says was proved. No file of it is run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.inspection.inspected import bounded
from linreg.manifest import FileEntry, read_manifest
from linreg.module_card import ModuleCard
from linreg.module_card_file import module_card_to_json, read_module_card


@dataclass(frozen=True, kw_only=True)
class InspectedBundle:
    """The contents of a module's bundle.

    Attributes:
        card: the card.
        files: for each artifact its name, cases, worst error, weights that were found, names of weights that were not
            proved, and cases that were not tried, as far as the manifest says so.
    """

    card: ModuleCard
    files: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return the card and the files as JSON values."""
        return {**module_card_to_json(self.card), "files": self.files}


def inspect_bundle(folder: Path) -> InspectedBundle | None:
    """Inspect a folder; return None if it is not the bundle of a module.

    Raises:
        ModelError: the manifest or the card is damaged.
        MismatchError: the card differs from the manifest.
    """
    manifest = read_manifest(folder)
    card = read_module_card(folder, manifest)
    if manifest is None or card is None:
        return None
    found = bounded(files=[_proof(entry) for entry in manifest.files if entry.proof.get("format")])
    return InspectedBundle(card=card, files=found["files"])


def _proof(entry: FileEntry) -> dict[str, Any]:
    """Return what a manifest says about an artifact; what has another form than linreg writes is left out."""
    proof = entry.proof
    weights = proof.get("weights")
    if not isinstance(weights, dict):
        weights = {}
    return {
        "name": entry.name,
        "bytes": entry.bytes,
        "cases": _number(proof.get("cases")),
        "worst_error": _number(proof.get("worst_error")),
        "weights_found": _number(weights.get("found")),
        "weights_total": _number(weights.get("total")),
        "unproved": _texts(weights.get("unproved")),
        "not_tried": _texts(proof.get("not_tried")),
    }


def _number(value: object) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
