"""Find the C sources of a bundle, whatever their names and the prefix of their identifiers."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

END_OF_HEADER = "\n/* End of the header. */\n"


class BundleError(Exception):
    """The bundle has no C source that its vectors can check."""


@dataclass(frozen=True, kw_only=True)
class CSource:
    """One C source of a bundle.

    Attributes:
        bundle: the bundle's folder.
        path: the file.
        prefix: what its identifiers begin with.
        not_run: why the vectors cannot check it; empty if they can.
    """

    bundle: Path
    path: Path
    prefix: str
    not_run: str

    @property
    def title(self) -> str:
        """The bundle's name, and the file's where it is another than model.c."""
        return self.bundle.name if self.path.name == "model.c" else f"{self.bundle.name}, {self.path.name}"

    def header(self) -> str:
        """Return the text of its header, followed by macros that give everything the prefix `linreg`."""
        text = _header(self.path)
        if self.prefix == "linreg":
            return text
        words = re.findall(rf"^#define {self.prefix.upper()}_(\w+) ", text, re.MULTILINE)
        macros = [f"#define LINREG_{word} {self.prefix.upper()}_{word}" for word in words]
        return "\n".join([text, *macros, f"#define linreg_predict {self.prefix}_predict", ""])


def c_sources(bundle: Path) -> list[CSource]:
    """Return the files that the manifest lists as C source, in its order.

    Raises:
        BundleError: the folder has no manifest, it lists no C source, or one cannot be read.
    """
    again = f"run: linreg export -m {bundle.name} --format c"
    try:
        listed = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
        proofs = {Path(entry["name"]): dict(entry["proof"]) for entry in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{bundle.name}: has no readable manifest.json; {again}") from error
    of_vectors = proofs.get(Path("data.json"), {}).get("precision")
    sources = [
        CSource(
            bundle=bundle,
            path=bundle / path.name,
            prefix=_prefix(bundle / path.name),
            not_run=_other_precision(bundle, proof.get("precision"), of_vectors),
        )
        for path, proof in proofs.items()
        if proof.get("format") == "c"
    ]
    if not sources:
        raise BundleError(f"{bundle.name}: its manifest lists no C source; {again}")
    return sources


def _other_precision(bundle: Path, precision: str | None, of_vectors: str | None) -> str:
    """Say that the vectors have another precision, and how to make some for the file; empty if they have the same."""
    if precision == of_vectors:
        return ""
    option = f" --dtype {precision}" if precision else ""
    return (
        f"the vectors are of {of_vectors or 'the dtype of the model'}; "
        f"make others: linreg export -m {bundle.name} --format c{option} -o OTHER"
    )


def _header(path: Path) -> str:
    """Return the text of the header, which C source begins with."""
    return path.read_text(encoding="ascii").partition(END_OF_HEADER)[0]


def _prefix(path: Path) -> str:
    try:
        found = re.search(r"^void (\w+)_predict\(", _header(path), re.MULTILINE)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name}: cannot be read: {error}") from error
    if found is None:
        raise BundleError(f"{path.name}: declares no predict function; export it again")
    return found[1]
