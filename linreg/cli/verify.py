"""`linreg verify`: check the files of a bundle again."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.bundle.verified import HEADINGS
from linreg.cli.bundle import find_bundle
from linreg.cli.export_options import parse_seconds
from linreg.cli.options import MODULE_PANEL, ArgOption, Json, ModuleOption, refuse, refuse_empty
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, print_json, say, show_table
from linreg.cli.user_module import run_module_of
from linreg.cli.verify_usage import check_data, check_verifiable

if TYPE_CHECKING:
    from torch import nn

NAME = "verify"
SUMMARY = "Check the files of a bundle again."
EXAMPLES = ("linreg verify penguins/model.onnx --data penguins.csv", "linreg verify net --module nets.py:make_net")

Budget = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        help="Time to prove each file against --module: 60s, 2m, or all for every case. Default: 10s.",
        rich_help_panel=MODULE_PANEL,
    ),
]


def run(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Argument(help="Bundle, or one artifact in it. Default: artifacts/linreg.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Also verify with the rows of this table.")] = None,
    module: ModuleOption = None,
    arguments: ArgOption = None,
    budget: Budget = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Load TorchScript, .pt2, C, JavaScript and SQL files that you did not export. Loading one runs its "
            "code.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check bytes against the manifest, and outputs against the test vectors and the float64 oracle.

    Exits with 3 if they differ. A single .onnx file is checked with its test vectors, without torch. The bundle of your
    own module is compared with the float64 oracle if --module names its code; the weights come from the bundle.
    """
    from export.bundle.verify import refuse_not_run, verify_artifacts

    path = find_bundle(bundle)
    check_verifiable(path)
    made = None
    if module is not None:
        made = _module(context, path, module, arguments or [])
    else:
        refuse(context, ["arguments", "budget"], "has no effect without --module; leave it out")
    if data is not None:
        check_data(path)
    with prints_on_stderr():
        result = verify_artifacts(path, data=data, trust=trust, module=made, budget_s=budget)
    if as_json:
        folder = path if path.is_dir() else path.parent
        checked = [asdict(row) for row in result.rows]
        print_json({"bundle": str(folder), "checked": checked, "not_run": list(result.not_run)})
    elif result.rows:
        show_table("verified", HEADINGS, [row.cells() for row in result.rows], left=2)
    refuse_not_run(result)
    for row in result.rows:
        if row.not_tried:
            note(f"{row.file}: not tried: {', '.join(row.not_tried)}; add --budget all")
    if not as_json:
        count = "1 artifact" if len(result.files) == 1 else f"{len(result.files)} artifacts"
        say(f"ok: the bytes of {path} match its manifest, and the outputs of {count} are within the allowed error")


def _module(context: typer.Context, path: Path, place: str, arguments: list[str]) -> "nn.Module":
    """Check the bytes of the bundle, then make its module, with the weights of the bundle.

    Raises:
        LinregError: the bundle holds no module, or a file differs from the manifest, or belongs to another module.
    """
    refuse_empty(context, ["module"])
    refuse(context, ["data"], "has the rows of a table, and a module of your own takes none; leave it out")

    from export.bundle.verify import checked_manifest

    folder = path if path.is_dir() else path.parent
    checked_manifest(path, folder)
    return run_module_of(place, folder, arguments).module
