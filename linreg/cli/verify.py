"""`linreg verify`: check the files of a bundle again."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from export.bundle.verified import HEADINGS
from linreg.cli.bundle import find_bundle
from linreg.cli.options import Json
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import print_json, say, show_table
from linreg.cli.verify_usage import check_data, check_verifiable

NAME = "verify"
SUMMARY = "Check the files of a bundle again."
EXAMPLES = ("linreg verify penguins", "linreg verify penguins/model.onnx --data penguins.csv")


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="Bundle, or one artifact in it. Default: artifacts/linreg.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Also verify with the rows of this table.")] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Load TorchScript, .pt2 and C files that you did not export. Loading one runs its code."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check bytes against the manifest, and outputs against the test vectors and the float64 oracle.

    Exits with 3 if they differ. A single .onnx file is checked with its test vectors, without torch.
    """
    from export.bundle.verify import refuse_not_run, verify_artifacts

    path = find_bundle(bundle)
    check_verifiable(path)
    if data is not None:
        check_data(path)
    with prints_on_stderr():
        result = verify_artifacts(path, data=data, trust=trust)
    if as_json:
        folder = path if path.is_dir() else path.parent
        checked = [asdict(row) for row in result.rows]
        print_json({"bundle": str(folder), "checked": checked, "not_run": list(result.not_run)})
    elif result.rows:
        show_table("verified", HEADINGS, [row.cells() for row in result.rows], left=2)
    refuse_not_run(result)
    if not as_json:
        count = "1 artifact" if len(result.files) == 1 else f"{len(result.files)} artifacts"
        say(f"ok: the bytes of {path} match its manifest, and the outputs of {count} are within the allowed error")
