"""`linreg train`: fit a model to the straight line or to a table, and save it as a bundle."""

import csv
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg.cli.exporting import remove_listed
from linreg.cli.options import Json, Wait
from linreg.cli.results import show_card, show_left_out
from linreg.cli.terminal import note, print_json, progress, say_waiting
from linreg.cli.train_usage import check_usage
from linreg.config import (
    CARD_FILE,
    DEFAULT_BUNDLE,
    DEFAULT_SPLIT,
    LINE_DEFAULTS,
    MODEL_FILE,
    TABLE_DEFAULTS,
    Architecture,
    DeviceChoice,
    LineSettings,
    Loss,
    Method,
    Precision,
    TrainSettings,
)
from linreg.errors import LinregError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from linreg.card import Card
    from linreg.changes import Changes
    from linreg.data import Dataset
    from linreg.tables import LeftOut
    from linreg.training import Fit

NAME = "train"
SUMMARY = "Fit a model to the straight line or to a table."
EXAMPLES = (
    "linreg train penguins.csv --target body_mass_g -o penguins",
    "linreg train --method adam --epochs 500 --lr 0.05 -o line",
)
OWN_FILES = (MODEL_FILE, CARD_FILE)


def run(
    context: typer.Context,
    table: Annotated[
        Path | None, typer.Argument(help="CSV (also gzip) or Parquet file. Default: the straight line.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle, a folder.")] = DEFAULT_BUNDLE,
    target: Annotated[str | None, typer.Option(help="Column to predict (a table needs it).")] = None,
    features: Annotated[
        str | None, typer.Option(help="Columns to predict from: a,b,c. Default: every other numeric column.")
    ] = None,
    weight: Annotated[float | None, typer.Option(help="Of the line. Default: 0.7")] = None,
    bias_value: Annotated[float | None, typer.Option("--bias", help="Of the line. Default: 0.3")] = None,
    start: Annotated[float | None, typer.Option(help="First x of the line. Default: 0")] = None,
    end: Annotated[float | None, typer.Option(help="The line's x stay below it. Default: 1")] = None,
    step: Annotated[float | None, typer.Option(help="Between two x of the line. Default: 0.02")] = None,
    architecture: Annotated[
        Architecture, typer.Option(help="nn.Linear, or two nn.Parameter for one feature.")
    ] = Architecture.LINEAR,
    no_bias: Annotated[bool, typer.Option("--no-bias", help="Leave the model's bias out.")] = False,
    method: Annotated[Method | None, typer.Option(help="Default: sgd for the line, exact for a table.")] = None,
    loss: Annotated[Loss | None, typer.Option(help="Default: l1 for the line, mse for a table.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate. Default: 0.01; lbfgs 1.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = LINE_DEFAULTS.epochs,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step. Default: all rows.")] = None,
    test_every: Annotated[int, typer.Option(help="Epochs between two rows of the history.")] = LINE_DEFAULTS.test_every,
    seed: Annotated[int, typer.Option(help="Of parameters, shuffle and batches.")] = LINE_DEFAULTS.seed,
    split: Annotated[str, typer.Option(help="0.8, or train/validation/test as 0.7/0.15/0.15, or 1.")] = DEFAULT_SPLIT,
    no_shuffle: Annotated[bool, typer.Option("--no-shuffle", help="Keep the order of a table's rows.")] = False,
    device: Annotated[DeviceChoice, typer.Option(help="auto takes CUDA where there is one.")] = DeviceChoice.AUTO,
    dtype: Annotated[Precision, typer.Option(help="Of the parameters.")] = Precision.FLOAT32,
    allow_collinear: Annotated[
        bool, typer.Option("--allow-collinear", help="exact: take the minimum-norm solution of collinear columns.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train again into a bundle with artifacts: they are removed.")
    ] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Fit a model to the straight line (the course's recipe) or to a table (the exact solution), and save it."""
    given: dict[str, Any] = {"method": method, "loss": loss}
    settings = replace(
        LINE_DEFAULTS if table is None else TABLE_DEFAULTS,
        architecture=architecture,
        bias=not no_bias,
        lr=lr,
        epochs=epochs,
        batch_size=batch_size,
        test_every=test_every,
        seed=seed,
        device=device,
        dtype=dtype,
        allow_collinear=allow_collinear,
        **{name: value for name, value in given.items() if value is not None},
    )
    line = {"weight": weight, "bias": bias_value, "start": start, "end": end, "step": step}
    chosen = {name: value for name, value in line.items() if value is not None}
    check_usage(context, table, settings, split)
    if table is None:
        card = train_line(LineSettings(**chosen), settings, output, split_text=split, force=force, wait=wait)
        left_out = {}
    else:
        card, columns = train_table(
            table, target, features, settings, output, split_text=split, shuffle=not no_shuffle, force=force, wait=wait
        )
        left_out = {"left_out": [asdict(column) for column in columns]}
    if as_json:
        print_json({"bundle": str(output), **asdict(card), **left_out})
    else:
        show_card(card, output)


def train_line(
    line: LineSettings, settings: TrainSettings, output: Path, *, split_text: str, force: bool, wait: bool = False
) -> "Card":
    """Fit the straight line and save it as a bundle."""
    from linreg.data import straight_line

    with _changing(output, force=force, wait=wait) as changes:
        dataset = straight_line(line, settings.dtype)
        data = {"kind": "line", "line": asdict(line), "split": split_text, "shuffled": False}
        return _train(dataset, settings, changes, data=data)


def train_table(
    table: Path,
    target: str | None,
    features: str | None,
    settings: TrainSettings,
    output: Path,
    *,
    split_text: str,
    shuffle: bool,
    force: bool,
    wait: bool = False,
) -> "tuple[Card, tuple[LeftOut, ...]]":
    """Fit a table and save the model as a bundle; the columns that were left out come with its card."""
    from linreg.column_names import listed
    from linreg.data import read_dataset

    if target is None:
        raise typer.BadParameter(f"{table}: which column is to be predicted? name it with --target")
    names = None if features is None else _names(features)
    with _changing(output, force=force, wait=wait) as changes:
        dataset = read_dataset(table, features=names, target=target)
        source = dataset.table
        assert source is not None
        note(f"{table}: {target!r} from {listed(dataset.feature_names)}")
        show_left_out(source.left_out)
        for text in source.notes:
            note(f"note: {text}")
        data = {"kind": "table", "rows": len(dataset.target), "split": split_text, "shuffled": shuffle}
        return _train(dataset, settings, changes, data=data), source.left_out


def _names(text: str) -> tuple[str, ...]:
    """The column names of `a,b,c`; one that holds a comma stands in double quotes.

    Raises:
        typer.BadParameter: one is empty.
    """
    names = tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []))
    if not names or not all(names):
        raise typer.BadParameter(f"--features: got {text!r}, expected column names with commas between: a,b,c")
    return names


def _train(dataset: "Dataset", settings: TrainSettings, changes: "Changes", *, data: dict[str, Any]) -> "Card":
    from export.bundle.write import record
    from linreg.checkpoint import stage
    from linreg.data import parse_split, split
    from linreg.manifest import read_manifest
    from linreg.training import fit

    parts = split(dataset, parse_split(data["split"]), shuffle_seed=settings.seed if data["shuffled"] else None)
    with progress("training", settings.epochs) as done:
        result = fit(dataset, parts, settings, progress=lambda epoch, _loss: done(epoch + 1))
    for warning in result.warnings:
        note(f"warning: {warning}")
    card = _card(dataset, settings, result, data)
    if (manifest := read_manifest(changes.folder)) is not None:
        remove_listed(changes, manifest, keep=())
    stage(changes, result.model, card)
    record(changes, card.state_sha256, plain=[], artifacts=[])
    changes.commit()
    return card


@contextmanager
def _changing(output: Path, *, force: bool, wait: bool) -> "Iterator[Changes]":
    """Lock the bundle, after seeing that nothing of somebody else's is overwritten or removed.

    Raises:
        LinregError: something would be, and `force` is not set.
    """
    from linreg.changes import changing
    from linreg.files import ensure_folder
    from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, check_overwrite, read_manifest

    ensure_folder(output)
    with changing(output, command="linreg train", wait=wait, on_wait=say_waiting) as changes:
        manifest = read_manifest(output)
        others = [entry for entry in manifest.files if entry.name not in OWN_FILES] if manifest else []
        if others and not force:
            shown = [entry.name for entry in others if entry.proof] or [entry.name for entry in others][:8]
            raise LinregError(
                f"{output}: holds artifacts of the old weights ({', '.join(shown)}); "
                "use --force to train again and remove them, or another -o"
            )
        check_overwrite(output, [*OWN_FILES, *([] if manifest else [CHECKSUM_FILE, MANIFEST_FILE])], force=force)
        yield changes


def _card(dataset: "Dataset", settings: TrainSettings, result: "Fit", data: dict[str, Any]) -> "Card":
    from linreg.card import Card
    from linreg.checkpoint import state_sha256
    from linreg.models import affine_of

    affine = affine_of(result.model)
    assert affine is not None
    solution = result.solution
    errors = None if solution is None else solution.weight_errors
    coefficients = [
        {"name": name, "value": float(value), "standard_error": None if errors is None else float(errors[place])}
        for place, (name, value) in enumerate(zip(dataset.feature_names, affine.weight[0], strict=True))
    ]
    if affine.bias is not None:
        error = None if solution is None else solution.bias_error
        coefficients.append({"name": "(bias)", "value": float(affine.bias[0]), "standard_error": error})
    training = {**asdict(settings), "lr": settings.learning_rate, "device": result.device}
    return Card(
        architecture=settings.architecture,
        features=dataset.feature_names,
        target=dataset.target_name,
        bias=settings.bias,
        dtype=settings.dtype,
        state_sha256=state_sha256(result.model.state_dict()),
        data={**data, "sha256": dataset.sha256},
        training=training,
        coefficients=coefficients,
        metrics={name: asdict(metrics) for name, metrics in result.metrics.items()},
        history=[asdict(row) for row in result.history],
    )
