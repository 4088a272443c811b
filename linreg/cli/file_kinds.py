"""What a file is, by its name, for messages to somebody who names it where another is expected."""

from pathlib import Path

ARTIFACTS = (".onnx", ".torchscript", ".pt2", ".c", ".h")
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
    """What a file is, such as `a table`; None where its name does not say."""
    return RECORDS.get(path.name) or KINDS.get(path.suffix.lower())


def is_table(path: Path) -> bool:
    """Whether a file is a table by its name."""
    return path.suffix.lower() in TABLES


def is_artifact(path: Path) -> bool:
    """Whether a file is an exported one by its name."""
    return path.suffix.lower() in ARTIFACTS


def is_model(path: Path) -> bool:
    """Whether this is a bundle, or a file of a model, by its name: nothing that is a table."""
    return path.is_dir() or path.suffix.lower() in (*ARTIFACTS, *STATES)
