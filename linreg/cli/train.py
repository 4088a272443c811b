"""`linreg train`: fit a model to the straight line or to a table, and save it as a bundle."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from linreg.cli.cold_start import prepare_for_tables
from linreg.cli.engine_options import Address, EngineOption, check_engine
from linreg.cli.options import Json, Wait, Workers
from linreg.cli.results import show_card, show_left_out
from linreg.cli.table_options import Decimal, Delimiter, Missing, Thousands, check_apart, read_options
from linreg.cli.table_progress import TableProgress
from linreg.cli.terminal import note, print_json, say_waiting, stages
from linreg.cli.train_options import (
    AllowCollinear,
    ArchitectureOption,
    BatchSize,
    Bias,
    Device,
    Dtype,
    End,
    Epochs,
    Features,
    Force,
    KeepOnInterrupt,
    LearningRate,
    LossOption,
    Memory,
    MethodOption,
    NoBias,
    NoShuffle,
    Output,
    Seed,
    Split,
    Start,
    Step,
    Table,
    Target,
    TestEvery,
    Weight,
)
from linreg.cli.train_usage import check_usage
from linreg.config import (
    DEFAULT_BUNDLE,
    DEFAULT_MEMORY,
    DEFAULT_SPLIT,
    Architecture,
    Engine,
    Precision,
)
from linreg.ending import INTERRUPTED, EndedError

if TYPE_CHECKING:
    from linreg.data import Dataset
    from linreg.fitted import FittedModel
    from linreg.reading.options import ReadOptions
    from linreg.reading.stream import TableStream

NAME = "train"
SUMMARY = "Fit a model to the straight line or to a table."
EXAMPLES = (
    "linreg train penguins.csv --target body_mass_g -o penguins",
    "linreg train --method adam --epochs 500 --lr 0.05 -o line",
)


def run(
    context: typer.Context,
    table: Table = None,
    target: Target = None,
    features: Features = None,
    split: Split = None,
    no_shuffle: NoShuffle = False,
    decimal: Decimal = None,
    thousands: Thousands = None,
    delimiter: Delimiter = None,
    missing: Missing = None,
    weight: Weight = None,
    bias_value: Bias = None,
    start: Start = None,
    end: End = None,
    step: Step = None,
    architecture: ArchitectureOption = Architecture.LINEAR,
    no_bias: NoBias = False,
    dtype: Dtype = Precision.FLOAT32,
    method: MethodOption = None,
    loss: LossOption = None,
    lr: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    test_every: TestEvery = None,
    seed: Seed = None,
    device: Device = None,
    allow_collinear: AllowCollinear = False,
    keep_on_interrupt: KeepOnInterrupt = False,
    engine: EngineOption = Engine.THREADS,
    address: Address = None,
    workers: Workers = None,
    memory: Memory = None,
    output: Output = DEFAULT_BUNDLE,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Fit a model to the straight line (the course's recipe) or to a table (exact least squares), and save it."""
    line = {"weight": weight, "bias": bias_value, "start": start, "end": end, "step": step}
    options: dict[str, Any] = {
        "architecture": architecture,
        "bias": not no_bias,
        "dtype": dtype,
        "method": method,
        "loss": loss,
        "lr": lr,
        "epochs": epochs,
        "batch_size": batch_size,
        "test_every": test_every,
        "seed": seed,
        "device": device,
        "allow_collinear": allow_collinear,
    }
    if table is not None:
        prepare_for_tables()
    check_usage(context, table, options)
    check_engine(context, engine)
    how = read_options(decimal, thousands, delimiter, missing)

    if table is not None:
        check_apart(output, table)

    from linreg.fitting import fit
    from linreg.reading.stream import TableStream
    from linreg.saving import replacing

    with replacing(output, command="linreg train", force=force, wait=wait, on_wait=say_waiting) as changes:
        data = _line(line, dtype) if table is None else _open(table, target, features, how)
        try:
            with stages() as progress:
                model = fit(
                    data,
                    **options,
                    split=split or DEFAULT_SPLIT,
                    shuffle=table is not None and not no_shuffle,
                    keep_on_interrupt=keep_on_interrupt,
                    engine=engine,
                    address=address,
                    workers=workers,
                    memory=memory or DEFAULT_MEMORY,
                    progress=TableProgress(progress, data) if isinstance(data, TableStream) else progress,
                )
        except KeyboardInterrupt:
            raise EndedError(
                "nothing was written; with a gradient method, --keep-on-interrupt saves the best parameters so far"
            ) from None
        for text in model.notes:
            note(f"note: {text}")
        for warning in model.warnings:
            note(f"warning: {warning}")
        if model.interrupted_at is not None:
            note(f"interrupted at epoch {model.interrupted_at}: saving the parameters with the lowest train loss")
        model.stage(changes)
        changes.commit()
    _name_unlisted(output)
    _show(model, output, as_json=as_json)
    if model.interrupted_at is not None:
        raise typer.Exit(INTERRUPTED)


def _name_unlisted(folder: Path) -> None:
    """Name files that may come from other weights: `--force` removes only those that the manifest lists."""
    from export.bundle.integrity import remarks_on_unlisted, unlisted_files
    from linreg.manifest import read_manifest

    manifest = read_manifest(folder)
    assert manifest is not None, "it was just written"
    for warning in remarks_on_unlisted(unlisted_files(folder, manifest)):
        note(warning)


def _line(settings: dict[str, float | None], dtype: Precision) -> "Dataset":
    from linreg.fitting import straight_line

    return straight_line(**{name: value for name, value in settings.items() if value is not None}, dtype=dtype)


def _open(table: str, target: str | None, features: tuple[str, ...] | None, how: "ReadOptions") -> "TableStream":
    """Open a table, and print which columns are used and which are left out.

    Raises:
        typer.BadParameter: no target was given.
    """
    from linreg.reading.column_names import listed
    from linreg.reading.stream import open_stream

    if target is None:
        raise typer.BadParameter(f"{table}: no target was given; name the column to predict with --target")
    stream = open_stream(table, features=features, target=target, how=how)
    note(f"{table}: {target!r} from {listed(stream.feature_names)}")
    show_left_out(stream.left_out)
    return stream


def _show(model: "FittedModel", output: Path, *, as_json: bool) -> None:
    assert model.card is not None
    if not as_json:
        show_card(model.card, output)
        return
    coefficients = [asdict(coefficient) for coefficient in model.coefficients]
    left_out = {"left_out": [asdict(column) for column in model.left_out]} if model.card.data["kind"] == "table" else {}
    print_json({"bundle": str(output), **asdict(model.card), "coefficients": coefficients, **left_out})
