"""Check a bundle against its manifest: every file has the listed bytes, SHA256SUMS agrees, and no file is unlisted.

Since manifests are not signed, this proves that a bundle is intact, not where it comes from. It needs no torch.
"""

from collections.abc import Sequence
from pathlib import Path

from export.bundle.affine_graph import check_affine_graph
from export.bundle.source_names import check_source_names
from export.formats.external_data import SUFFIX, check_location, external_sha256, external_tensors
from export.formats.names import Format, beside, format_of, is_of_artifact
from export.formats.second_file import second_file
from linreg.card import Card, card_from_json
from linreg.config import CARD_FILE, MAX_JSON_BYTES, MODEL_FILE, TOLERANCE_FILE
from linreg.errors import MismatchError
from linreg.inside import file_inside, files_of, read_inside, vector_folders
from linreg.json_files import parse_json
from linreg.manifest import CHECKSUM_FILE, Manifest, check_listed, checksums, read_entry
from linreg.module_card import ModuleCard
from linreg.module_card_file import is_module_card, module_card_from_json


def check_bundle(folder: Path, manifest: Manifest) -> None:
    """Check that a bundle holds what its manifest lists, and that its files agree with each other.

    Raises:
        MismatchError: a file is missing or changed, an artifact or a vector is not listed or was never proved,
            SHA256SUMS differs from the manifest, a header or types do not belong to their source code, source code has
            other names than the card, or an affine model's ONNX graph is not exactly one Gemm with the names and
            coefficients of the card.
        ModelError: a file or folder is a link.
    """
    card = _card(folder, manifest)
    for entry in manifest.files:
        kind = format_of(entry.name)
        if kind is None:
            check_listed(folder, entry)
            model = entry.name.removesuffix(SUFFIX)
            if model != entry.name and manifest.entry(model) is None:
                raise MismatchError(f"{folder / entry.name}: holds weights of {model}, which is not listed")
            continue
        data = read_entry(folder, entry)
        if not entry.proof:
            raise MismatchError(
                f"{folder / entry.name}: is listed without a proof, so it was never verified; export again"
            )
        if kind[0] is Format.ONNX:
            _check_external(folder, manifest, entry.name, data)
        if kind[0] is Format.ONNX and card is not None:
            check_affine_graph(str(folder / entry.name), data, card)
        if kind[0] in (Format.C, Format.JS, Format.SQL):
            check_source_names(str(folder / entry.name), kind[0], data, manifest.state_sha256, card)
        if (second := beside(*kind)) is not None:
            _check_second(folder, manifest, kind[0], entry.name, data, second)
    _check_sums(folder, manifest)
    _check_unlisted(folder, manifest)


def _card(folder: Path, manifest: Manifest) -> Card | None:
    """Check the card; return it if it is that of a linear model."""
    entry = manifest.entry(CARD_FILE)
    if entry is None:
        return None
    path = folder / CARD_FILE
    value = parse_json(path, read_entry(folder, entry, limit=MAX_JSON_BYTES))
    card: Card | ModuleCard
    card = module_card_from_json(path, value) if is_module_card(value) else card_from_json(path, value)
    if card.state_sha256 != manifest.state_sha256:
        raise MismatchError(f"{path}: belongs to weights other than those of the manifest; export again")
    return card if isinstance(card, Card) else None


def _check_external(folder: Path, manifest: Manifest, name: str, data: bytes) -> None:
    """Check that a model has exactly the second file that the manifest lists, if it lists one."""
    path = folder / name
    tensors, entry = external_tensors(str(path), data), manifest.entry(f"{name}{SUFFIX}")
    if not tensors:
        if entry is not None:
            raise MismatchError(f"{folder / entry.name}: is listed, but {name} holds all its weights; export again")
        return
    location = check_location(path, tensors)
    if entry is None:
        raise MismatchError(f"{folder / location}: holds the weights of {name}, but is not listed; export again")
    if external_sha256(str(path), data) not in (None, entry.sha256):
        raise MismatchError(f"{folder / location}: is not the file that {name} was exported with; export again")


def _check_second(folder: Path, manifest: Manifest, kind: Format, name: str, data: bytes, second: str) -> None:
    """Check a C header, since a program compiled against a wrong one could read or write out of bounds, or types."""
    entry = manifest.entry(second)
    if entry is None or read_entry(folder, entry) != second_file(kind, name, data):
        what = f"is not the header that {name} begins with" if kind is Format.C else f"has not the types of {name}"
        raise MismatchError(f"{folder / second}: {what}; export again")


def _check_sums(folder: Path, manifest: Manifest) -> None:
    """Check SHA256SUMS, the only list of files that Node, the web page and sha256sum read."""
    path = folder / CHECKSUM_FILE
    if not file_inside(folder, CHECKSUM_FILE):
        raise MismatchError(f"{path}: is missing, and sha256sum, Node and the page rely on it; export again")
    found = read_inside(folder, CHECKSUM_FILE, limit=MAX_JSON_BYTES)
    if found != checksums(sorted(manifest.files, key=lambda entry: entry.name)):
        raise MismatchError(f"{path}: does not list the files and sums of the manifest; restore it, or export again")


def _check_unlisted(folder: Path, manifest: Manifest) -> None:
    if manifest.entry(MODEL_FILE) and not manifest.entry(CARD_FILE) and file_inside(folder, CARD_FILE):
        raise MismatchError(
            f"{folder / CARD_FILE}: is a card that the manifest does not list; export again, or remove it"
        )
    for name in unlisted_files(folder, manifest):
        what = "a test vector" if "/" in name else "a tolerance" if name == TOLERANCE_FILE else "an artifact"
        raise MismatchError(f"{folder / name}: is {what} that the manifest does not list; export again, or remove it")


def unlisted_files(folder: Path, manifest: Manifest) -> list[str]:
    """Return the files of artifacts, and then of test vectors, that are in a bundle but not in its manifest."""
    names = sorted(path.name for path in folder.iterdir())
    artifacts = [name for name in names if is_of_artifact(name.removesuffix(SUFFIX))]
    tolerance = [TOLERANCE_FILE] if TOLERANCE_FILE in names else []
    vectors = [name for place in vector_folders(folder) for name in files_of(folder, place)]
    return [name for name in (*artifacts, *tolerance, *vectors) if manifest.entry(name) is None]


def remarks_on_unlisted(names: Sequence[str]) -> list[str]:
    """Return a line for the user that names unlisted files and says what to do; no line if there is none."""
    shown = dict.fromkeys(name.partition("/")[0] for name in names)
    if not shown:
        return []
    return [
        f"warning: the manifest does not list {', '.join(shown)}, which may be of other weights, so verify fails; "
        "remove them, or export them again with --force"
    ]
