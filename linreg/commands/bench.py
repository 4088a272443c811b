"""`linreg bench`: how fast each variant answers, and whether it still answers the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.commands.bundle import open_model
from linreg.commands.options import Json, Model
from linreg.commands.terminal import print_json, progress, say, show
from linreg.errors import LinregError, MismatchError, ModelError

if TYPE_CHECKING:
    from bench.comparison import Comparison
    from linreg.checkpoint import Checkpoint

NAME = "bench"
SUMMARY = "Time eager, scripted and ONNX inference."
DEFAULT_BATCHES = "1,64,4096"
REPORT_FILE = "bench.json"


def run(
    model: Model = None,
    batch: Annotated[str, typer.Option(help="Batch sizes: 1,64,4096.")] = DEFAULT_BATCHES,
    rounds: Annotated[int, typer.Option(help="Blocks of each variant.", min=10, max=100_000)] = 100,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a bench.json that linreg did not write.")] = False,
    as_json: Json = False,
) -> None:
    """Time eager, scripted and ONNX inference in paired, shuffled rounds, after proving each of them equal.

    A variant that answers wrongly has no latency; exit 3. The figures go to bench.json in the bundle.
    """
    batches = parse_batches(batch)
    checkpoint = open_model(model)
    _check_output(checkpoint.path.parent, force=force)
    comparisons, path = bench_bundle(checkpoint, batches, rounds)
    if as_json:
        from linreg.files import read_json

        print_json(read_json(path))
    else:
        show_comparisons(comparisons)
        say(f"saved: {path}")
    wrong = [row.problem for comparison in comparisons for row in comparison.rows if row.problem]
    if wrong:
        raise MismatchError(wrong[0])


def parse_batches(text: str) -> list[int]:
    """The batch sizes of `1,64,4096`.

    Raises:
        typer.BadParameter: one is not a whole number from 1 to 2^20.
    """
    try:
        batches = list(dict.fromkeys(int(piece) for piece in text.split(",")))
    except ValueError:
        batches = []
    if not batches or not all(1 <= size <= 2**20 for size in batches):
        raise typer.BadParameter(
            f"--batch: got {text!r}, expected whole numbers from 1 to {2**20}, such as {DEFAULT_BATCHES}"
        )
    return batches


def _check_output(folder: Path, *, force: bool) -> None:
    """See before the work that the report may be written.

    Raises:
        LinregError: it may not.
    """
    from linreg.files import ensure_folder, read_json

    ensure_folder(folder)
    path = folder / REPORT_FILE
    if path.exists() and not force:
        try:
            ours = path.is_file() and "comparisons" in read_json(path)
        except ModelError:
            ours = False
        if not ours:
            raise LinregError(f"{path}: is there and was not written by linreg; move it away, or use --force")


def bench_bundle(checkpoint: "Checkpoint", batches: list[int], rounds: int) -> "tuple[list[Comparison], Path]":
    """Compare the CPU variants of a model at each batch; the report goes to bench.json beside it."""
    from bench.comparison import compare_variants
    from bench.environment import describe_environment, set_threads
    from bench.report import to_json
    from bench.variants import REFERENCE, cpu_variants, fresh_source
    from linreg.files import write_json

    set_threads(1)
    comparisons = []
    for size in batches:
        with progress(f"batch {size}", rounds) as done:
            comparisons.append(
                compare_variants(
                    cpu_variants(checkpoint), fresh_source(checkpoint), batch=size, rounds=rounds, progress=done
                )
            )
    report = to_json(
        comparisons,
        state_sha256=checkpoint.state_sha256,
        reference=REFERENCE,
        environment=describe_environment(),
    )
    path = checkpoint.path.parent / REPORT_FILE
    write_json(path, report)
    return comparisons, path


def show_comparisons(comparisons: "list[Comparison]") -> None:
    """A table a batch."""
    from bench.report import to_table
    from bench.variants import REFERENCE

    for comparison in comparisons:
        show(to_table(comparison, reference=REFERENCE))
