"""`linreg demo`: every step, from training to plots, on the default line and on a real table."""

import shlex
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from bench.plan.request import Request
from export.formats.names import RUNTIME_FORMATS, Format, file_name
from linreg.cli.artifact_table import show_artifacts
from linreg.cli.bench_output import report_changes, show_report, write_files
from linreg.cli.bench_run import measure
from linreg.cli.plot import draw
from linreg.cli.results import show_card
from linreg.cli.rows import rows_to_plot
from linreg.cli.terminal import say, stages
from linreg.config import BenchSettings
from linreg.errors import LinregError

NAME = "demo"
SUMMARY = "Train, export, verify and benchmark a line and a real table."
EXAMPLES = ("linreg demo", "linreg demo -o first-steps")
PENGUIN_FEATURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm")
PENGUIN_TARGET = "body_mass_g"
DEFAULT_FOLDER = Path("artifacts/demo")


def run(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the two bundles, line/ and penguins/. Default: artifacts/demo.",
            show_default=False,
        ),
    ] = DEFAULT_FOLDER,
    force: Annotated[bool, typer.Option("--force", help="Overwrite bundles that are in the folder.")] = False,
) -> None:
    """Train, reload, export, verify, benchmark and plot two models.

    The models are the line y = 0.7 x + 0.3, and a regression on 342 real penguins.
    """
    for bundle in (output / "line", output / "penguins"):
        if bundle.exists() and not force and output != DEFAULT_FOLDER:
            raise LinregError(f"{bundle}: already exists; use --force to overwrite it, or another -o")
    say("1. The course's line, y = 0.7 x + 0.3: L1 loss, SGD, 1000 epochs")
    from linreg.fitting import fit, straight_line

    fit(straight_line()).save(output / "line", force=True)
    _rest(output / "line", None)
    say()
    say("2. Palmer penguins: body mass from three measurements, the exact fit")
    with as_file(files("linreg") / "penguins.csv") as table:
        fit(table, target=PENGUIN_TARGET, features=PENGUIN_FEATURES).save(output / "penguins", force=True)
        _rest(output / "penguins", table)
    say()
    deployed = shlex.quote(str(output / "penguins" / file_name(Format.ONNX)))
    say(f"next:  linreg predict TABLE -m {deployed} -o out.csv   (needs no torch)")
    say("page:  in linreg's repository, (cd deploy/web && npm ci --ignore-scripts)")
    say("       and python3 -m http.server 8000 --bind 127.0.0.1,")
    say(f"       then drop {shlex.quote(str(output / 'penguins'))} on http://127.0.0.1:8000/deploy/web/")


def _rest(bundle: Path, table: Path | None) -> None:
    """Export, verify, benchmark and plot a trained model."""
    from export.bundle.build import ExportOptions
    from export.bundle.exportable import exportable
    from export.bundle.write_bundle import write_bundle
    from linreg.checkpoint import load

    checkpoint = load(bundle)
    assert checkpoint.card is not None
    show_card(checkpoint.card, bundle, following=False)
    with stages() as progress:
        chosen = exportable(checkpoint, bundle)
        outcome = write_bundle(chosen, bundle, list(RUNTIME_FORMATS), ExportOptions(), force=True, progress=progress)
    outcome.raise_refused()
    show_artifacts("exported and verified", outcome.written)
    report = measure(Request(model=bundle, settings=BenchSettings(processes=1), command=("linreg", "demo")))
    show_report(report, markdown=False)
    with report_changes(bundle, command="linreg demo") as changes:
        for path in write_files(report, changes, None):
            say(f"figures: {path}")
    for path in draw(checkpoint, rows_to_plot(checkpoint, None if table is None else str(table)), bundle, force=True):
        say(f"plot: {path}")
