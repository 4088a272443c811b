"""Guess the kind of a file from its name, for error messages about the wrong kind of file."""

from pathlib import Path

ARTIFACTS = (".onnx", ".torchscript", ".pt2", ".c", ".h", ".mjs", ".mts", ".sql")
STATES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
TABLES = (".csv", ".tsv", ".parquet", ".gz", ".xlsx", ".xls")

KINDS = {
    **dict.fromkeys(TABLES, "a table"),
    **dict.fromkeys(ARTIFACTS, "an exported file"),
    **dict.fromkeys(STATES, "a state_dict"),
    ".py": "Python code",
    ".html": "a page",
    **dict.fromkeys((".png", ".svg"), "a picture"),
}

RECORDS = {
    "card.json": "the card of a bundle",
    "manifest.json": "the manifest of a bundle",
    "data.json": "the tolerance of test vectors",
    "bench.json": "a report of linreg bench",
    "SHA256SUMS": "a list of checksums",
}


def kind_of(path: Path) -> str | None:
    """Return the kind of a file, such as `a table`; None if its name does not show it."""
    return RECORDS.get(path.name) or KINDS.get(path.suffix.lower())


def is_table(path: Path) -> bool:
    """Return whether the name is that of a table."""
    return path.suffix.lower() in TABLES


def is_artifact(path: Path) -> bool:
    """Return whether the name is that of an exported file."""
    return path.suffix.lower() in ARTIFACTS


def is_model(path: Path) -> bool:
    """Return whether the path is a folder, or the name is that of a model file."""
    return path.is_dir() or path.suffix.lower() in (*ARTIFACTS, *STATES)
