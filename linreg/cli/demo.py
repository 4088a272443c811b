"""`linreg demo`: the whole job on the course's line and on a real table."""

import shlex
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.plan.request import Request
from export.formats.names import RUNTIME_FORMATS, Format, file_name
from linreg.cli.artifact_table import show_artifacts
from linreg.cli.bench_output import report_changes, show_report, write_files
from linreg.cli.bench_run import measure
from linreg.cli.exporting import export_checkpoint
from linreg.cli.plot import draw
from linreg.cli.results import show_card
from linreg.cli.rows import parts_of
from linreg.cli.terminal import say
from linreg.cli.train import train_line, train_table
from linreg.config import DEFAULT_SPLIT, LINE_DEFAULTS, TABLE_DEFAULTS, BenchSettings, LineSettings
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.card import Card

NAME = "demo"
SUMMARY = "Do the whole job on a line and on a real table."
EXAMPLES = ("linreg demo", "linreg demo -o first-steps")
PENGUIN_FEATURES = "bill_length_mm,bill_depth_mm,flipper_length_mm"
PENGUIN_TARGET = "body_mass_g"
DEFAULT_FOLDER = Path("artifacts/demo")


def run(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the two bundles, line/ and penguins/.")
    ] = DEFAULT_FOLDER,
    force: Annotated[bool, typer.Option("--force", help="Overwrite bundles that are in the folder given.")] = False,
) -> None:
    """Train, reload, export, verify, benchmark and plot: the line y = 0.7 x + 0.3, and 342 real penguins."""
    for bundle in (output / "line", output / "penguins"):
        if bundle.exists() and not force and output != DEFAULT_FOLDER:
            raise LinregError(f"{bundle}: is there already; use --force to overwrite what it holds, or another -o")
    say("1. The course's line, y = 0.7 x + 0.3: L1 loss, SGD, 1000 epochs")
    line = train_line(LineSettings(), LINE_DEFAULTS, output / "line", split_text=DEFAULT_SPLIT, force=True)
    _rest(line, output / "line", None)
    say()
    say("2. Palmer penguins: body mass from three measurements, the exact fit")
    with as_file(files("linreg") / "penguins.csv") as table:
        penguins, _ = train_table(
            table,
            PENGUIN_TARGET,
            PENGUIN_FEATURES,
            TABLE_DEFAULTS,
            output / "penguins",
            split_text=DEFAULT_SPLIT,
            shuffle=True,
            force=True,
        )
        _rest(penguins, output / "penguins", table)
    say()
    deployed = shlex.quote(str(output / "penguins" / file_name(Format.ONNX)))
    say(f"next:  linreg predict TABLE -m {deployed} -o out.csv   (needs no torch)")
    say("page:  in linreg's repository, (cd deploy/web && npm ci --ignore-scripts)")
    say("       and python3 -m http.server 8000 --bind 127.0.0.1,")
    say(f"       then drop {shlex.quote(str(output / 'penguins'))} on http://127.0.0.1:8000/deploy/web/")


def _rest(card: "Card", bundle: Path, table: Path | None) -> None:
    """Everything after training: export, verify, benchmark, plots."""
    from linreg.checkpoint import load

    show_card(card, bundle, following=False)
    show_artifacts("exported and verified", export_checkpoint(load(bundle), list(RUNTIME_FORMATS), force=True))
    checkpoint = load(bundle)
    report = measure(Request(model=bundle, settings=BenchSettings(processes=1), command=("linreg", "demo")))
    show_report(report, markdown=False)
    with report_changes(bundle, command="linreg demo") as changes:
        for path in write_files(report, changes, None):
            say(f"figures: {path}")
    for path in draw(checkpoint, parts_of(table, checkpoint.card, bundle), bundle, force=True):
        say(f"plot: {path}")
