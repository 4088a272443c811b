"""`linreg verify`: check the files of a bundle again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.formats import PROGRAMS, Format, Precision, beside, format_of
from linreg.commands.bundle import find_bundle, require
from linreg.commands.options import Json
from linreg.commands.terminal import print_json, say, show_table
from linreg.commands.verify_usage import check_data, check_verifiable
from linreg.config import MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError

if TYPE_CHECKING:
    from export.manifest import Manifest

NAME = "verify"
SUMMARY = "Check the files of a bundle again."
HEADINGS = ("format", "file", "checked against", "cases", "worst error / allowed", "bytes equal")


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle, or one artifact in it. Default: artifacts/linreg.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A table whose rows are verified as well.")] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Load TorchScript, .pt2 and C files that you did not export; they are programs."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check bytes against the manifest, and answers against the test vectors and the float64 reference.

    Exit 3 where they differ. One .onnx file is checked with its test vectors, without torch.
    """
    path = find_bundle(bundle)
    check_verifiable(path)
    folder = path if path.is_dir() else path.parent
    manifest = _manifest(path, folder)
    names = [path.name] if path.name in _artifacts(manifest) else _artifacts(manifest)
    if not names:
        raise LinregError(f"{path}: the manifest lists no artifact; run: linreg export -m {folder}")
    if data is not None:
        check_data(manifest, names)
    refused = [] if trust else [name for name in names if _is_foreign(folder / name)]
    trusted = [name for name in names if name not in refused]
    for name in names:
        _check_header(folder, name)
    checked = [_check_vectors(folder, name) for name in trusted if _has_vectors(manifest, name)]
    if trusted and (path.is_dir() or data is not None or not checked):
        checked += _check_reference(folder, manifest, trusted, data)
    if data is not None and not any(row["against"] == "float64 reference" for row in checked):
        raise LinregError(f"--data: {folder} holds no model of linreg train with a card, so its columns have no names")
    if as_json:
        print_json({"bundle": str(folder), "checked": checked, "not_run": refused})
    else:
        if checked:
            _show(checked)
    if refused:
        raise ModelError(
            f"{folder}: {', '.join(refused)}: not run, since these are programs that this user did not export; "
            "if you trust where they come from, add --trust"
        )
    if not as_json and not checked:
        say(f"ok: the bytes of {path} are those of its manifest; it has no test vectors, so its answers were not asked")
    elif not as_json:
        count = "1 artifact" if len(names) == 1 else f"{len(names)} artifacts"
        say(f"ok: the bytes of {path} are those of its manifest, and the outputs of {count} are within what is allowed")


def _show(checked: list[dict[str, Any]]) -> None:
    rows = [
        [
            row["format"],
            row["file"],
            row["against"],
            str(row["cases"]),
            f"{row['worst_error']:.3f}",
            "yes" if row["bytes_equal"] else "no",
        ]
        for row in checked
    ]
    show_table("verified", HEADINGS, rows, left=3)


def _manifest(path: Path, folder: Path) -> "Manifest":
    """The manifest, after comparing every file with it.

    Raises:
        LinregError: there is none, or it does not list the file.
        MismatchError: a file has other bytes.
    """
    from export.manifest import CHECKSUM_FILE, MANIFEST_FILE, check_files, read_manifest

    manifest = read_manifest(folder)
    listed = [] if manifest is None else [entry.name for entry in manifest.files]
    if path.name not in listed:  # a listed file that is missing is a mismatch
        require(path)
    if manifest is None:
        hint = f"run: linreg export -m {folder}" if (folder / MODEL_FILE).exists() else "name a bundle"
        raise LinregError(f"{path}: there is no {MANIFEST_FILE} in {folder}, which says what a bundle holds; {hint}")
    if path != folder and path.name not in (*listed, MANIFEST_FILE, CHECKSUM_FILE):
        raise LinregError(f"{path}: is not in the manifest of {folder}, which lists {', '.join(listed[:8])}; name one")
    check_files(folder, manifest)
    for other in sorted(folder.iterdir()):
        if format_of(other.name) is not None and other.name not in listed:
            raise MismatchError(
                f"{other}: is an artifact that the manifest does not list; export it again, or remove it"
            )
    return manifest


def _artifacts(manifest: "Manifest") -> list[str]:
    return [entry.name for entry in manifest.files if entry.proof and format_of(entry.name)]


def _has_vectors(manifest: "Manifest", name: str) -> bool:
    """Vectors are of the model's own precision, and of the batches of the file that they were made with."""
    if _kind(name)[1] is not None or manifest.entry("test_data_set_0/input_0.pb") is None:
        return False
    several = manifest.entry("test_data_set_1/input_0.pb") is not None
    entry = manifest.entry(name)
    return entry is not None and bool(entry.proof.get("static")) != several


def _kind(name: str) -> tuple[Format, Precision | None]:
    kind = format_of(name)
    assert kind is not None, "only artifacts are asked for"
    return kind


def _is_foreign(path: Path) -> bool:
    """Whether this is a program that this user did not export."""
    from export.trust import is_ours
    from linreg.files import read_bytes

    return _kind(path.name)[0] in PROGRAMS and not is_ours(read_bytes(path, limit=MAX_STATE_BYTES))


def _check_header(folder: Path, name: str) -> None:
    """See that the header beside C source is the one that the source itself begins with.

    Raises:
        MismatchError: it is not: what is compiled against it would read or write where it must not.
    """
    second = beside(*_kind(name))
    if second is None:
        return
    from export.c_text import header_of
    from linreg.files import read_bytes

    data, header = (read_bytes(folder / each, limit=MAX_STATE_BYTES) for each in (name, second))
    if header != header_of(data):
        raise MismatchError(f"{folder / second}: is not the header that {name} begins with; export again")


def _check_vectors(folder: Path, name: str) -> dict[str, Any]:
    """Run the test vectors of a bundle; needs no torch for ONNX."""
    from export.runners import load_runner
    from export.vectors import check_vectors
    from linreg.files import read_bytes

    runner = load_runner(_kind(name)[0], name, read_bytes(folder / name, limit=MAX_STATE_BYTES))
    result = check_vectors(runner, folder)
    return {
        "format": _kind(name)[0].value,
        "file": name,
        "against": "test vectors",
        "cases": result.cases,
        "worst_error": result.worst_error,
        "bytes_equal": result.bytes_equal,
    }


def _check_reference(folder: Path, manifest: "Manifest", names: list[str], data: Path | None) -> list[dict[str, Any]]:
    """Rebuild the model from the bundle's state_dict and compare; nothing for a bundle of somebody's own module."""
    from export.artifacts import verify_artifact
    from export.source import from_checkpoint
    from linreg.checkpoint import load, load_state, state_sha256
    from linreg.models import recognise

    state_file = next((entry.name for entry in manifest.files if entry.name.endswith(".pth")), MODEL_FILE)
    state = load_state(folder / state_file)
    if state_sha256(state) != manifest.state_sha256:
        raise MismatchError(f"{folder}: the state_dict is not the one of the manifest; export again with --force")
    try:
        recognise(state)
    except ModelError:
        return []
    checkpoint = load(folder / state_file)
    rows = None
    if data is not None and checkpoint.card is not None:
        from linreg.tables import read_table

        rows = read_table(data, features=checkpoint.card.features, target=None).features
    checked = []
    proofs = {entry.name: entry.proof for entry in manifest.files}
    for name in names:
        kind, precision = _kind(name)
        static = bool(proofs[name].get("static"))
        source = from_checkpoint(checkpoint, precision=precision, static=static)
        artifact = verify_artifact(source, kind, folder / name, precision=precision, rows=None if static else rows)
        checked.append(
            {
                "format": kind.value,
                "file": name,
                "against": "float64 reference",
                "cases": artifact.verification.cases,
                "worst_error": artifact.verification.worst_error,
                "bytes_equal": artifact.verification.bytes_equal,
            }
        )
    return checked
