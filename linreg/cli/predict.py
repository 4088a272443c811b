"""`linreg predict`: predict every row of a table with a bundle, a .pth or an .onnx file."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg.cli.bundle import find_existing, refuse_artifact, require
from linreg.cli.cold_start import prepare_for_tables
from linreg.cli.engine_options import Address, EngineOption, check_engine
from linreg.cli.options import ExistingModel, Workers, refuse, refuse_empty
from linreg.cli.predict_arrays import is_arrays, module_card_of, predict_arrays, refuse_table
from linreg.cli.predict_output import (
    OutputKind,
    check_apart_from,
    check_schema,
    check_table_output,
    parse_output,
    write_table,
)
from linreg.cli.predict_ray import predict_on_ray
from linreg.cli.table_options import Decimal, Delimiter, Missing, Thousands, read_options, refuse_table_options
from linreg.cli.table_progress import TableProgress
from linreg.cli.terminal import note, stages
from linreg.cli.train_options import QUOTED, parse_names, split_names
from linreg.config import SHORT_ROWS, Engine

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg.reading.stream import TableStream

NAME = "predict"
SUMMARY = "Predict every row of a table, or run your own module on arrays."
EXAMPLES = (
    "linreg predict penguins.csv -m penguins -o predictions.csv",
    "linreg predict batch.npz -m net -o outputs.npz",
)
ALL, NO_COLUMNS = "all", "none"


def run(
    context: typer.Context,
    table: Annotated[
        str,
        typer.Argument(
            help="Table with the model's features: a CSV or Parquet file, a folder of them, a quoted pattern, a URI, "
            "or - for CSV from a pipe; .npz or .npy for your own module."
        ),
    ],
    model: ExistingModel = None,
    features: Annotated[
        Any,
        typer.Option(
            parser=parse_names,
            metavar="<a,b,c>",
            help="Columns of the table that are the input of your own module, in its order, if it has one input "
            f"[batch,K]; {QUOTED}. A linear model names its columns itself.",
            rich_help_panel="Model",
        ),
    ] = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    delimiter: Delimiter = None,
    missing: Missing = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/|-",
            help="File to write (.csv, .csv.gz or .parquet), a folder/ for Parquet files of a million rows each, "
            "or - for CSV on stdout; .npz for arrays. Default: stdout.",
            rich_help_panel="Output",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="all|none|<a,b>",
            help=f"Columns of the table to write before the prediction, unchanged; {QUOTED}. Default: the model's "
            "features, as numbers.",
            rich_help_panel="Output",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Overwrite the output file, or the predictions in the output folder.",
            rich_help_panel="Output",
        ),
    ] = False,
    engine: EngineOption = Engine.THREADS,
    address: Address = None,
    workers: Workers = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Load a TorchScript or .pt2 file of a module that you did not export. Loading one runs its code.",
            rich_help_panel="Model",
        ),
    ] = False,
) -> None:
    """Write each row's features and prediction as a table. Columns are matched by name.

    A row with a missing value keeps its place and gets no prediction. Torch is not needed.
    Rows are streamed, so the table may be larger than memory; on stdout, the rows before a bad one are printed.

    The bundle of your own module takes arrays by name in an .npz, and its outputs are written to another.
    """
    refuse_empty(context, ["output", "columns"])
    check_engine(context, engine)
    if engine is Engine.THREADS:
        refuse(context, ["workers"], "applies to --engine ray: one thread reads, predicts and writes in order")
    if is_arrays(Path(table)):
        refuse(
            context, ["columns", "features", "engine"], "belongs to tables, and this is a file of arrays; leave it out"
        )
        refuse_table_options(context, "a file of arrays")
        predict_arrays(Path(table), model, None if output is None else Path(output), trust=trust, force=force)
        return
    refuse(context, ["trust"], "belongs to arrays in an .npz, for a module of your own; leave it out")
    if features is None and model is not None and model.exists():
        refuse_table(Path(table), model)
    passing = _passing(columns)
    where = parse_output(output)
    if engine is Engine.RAY and where.kind is not OutputKind.FOLDER:
        raise typer.BadParameter("--engine ray writes a folder of Parquet files; name it with a slash: -o predictions/")
    check_table_output(where, table, force=force)
    path = find_existing(model, Path(table)) if features is None else _module(model)
    if features is None and path.suffix != ".onnx":
        refuse_artifact(path)
    prepare_for_tables()

    from export.bundle.table_model import open_table_model
    from linreg.predictions import output_schema, predicted_batches
    from linreg.reading.stream import open_stream

    table_model = open_table_model(path, features)
    opened = table_model.model
    how = read_options(decimal, thousands, delimiter, missing, before=opened.how)
    stream = open_stream(table, features=opened.features, target=None, how=how, passing=passing)
    check_apart_from(where, table, stream.files)
    schema = output_schema(stream, opened, with_features=columns is None)
    check_schema(where, table, schema)
    if engine is Engine.RAY:
        from export.bundle.part_prediction import PartTask, model_file

        task = PartTask(
            stream=stream,
            model=model_file(path, features, table_model),
            schema=schema,
            with_features=columns is None,
        )
        predict_on_ray(task, where.path, address=address, workers=workers, force=force)
        return
    batches = predicted_batches(stream, opened, schema, with_features=columns is None)
    with ExitStack() as stack:
        counted = _Counted(batches, stack, stream)
        written = write_table(where, iter(counted), force=force)
    for text in stream.notes:
        note(f"note: {text.replace('are left out', 'get no prediction')}")
    if written:
        note(f"{counted.predictions} predictions{written}")


class _Counted:
    """Counts rows and predictions on their way, and shows on stderr how much of a long table is done.

    Attributes:
        rows: rows that were written.
        predictions: how many of them have a prediction.
    """

    rows = predictions = 0

    def __init__(self, batches: "Iterable[pa.RecordBatch]", stack: ExitStack, stream: "TableStream") -> None:
        self._batches, self._stack, self._stream = batches, stack, stream
        self._progress: TableProgress | None = None

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        for batch in self._batches:
            yield batch
            self.rows += batch.num_rows
            self.predictions += batch.num_rows - batch.column(batch.num_columns - 1).null_count
            if self._progress is None and self.rows > SHORT_ROWS:
                self._progress = TableProgress(self._stack.enter_context(stages()), self._stream)
            if self._progress is not None:
                self._progress("predictions", self.rows, self._stream.rows)


def _passing(columns: str | None) -> tuple[str, ...] | None:
    """Return the names of the columns to pass through; None stands for all.

    Raises:
        typer.BadParameter: a name is empty, or given twice.
    """
    if columns is None or columns == NO_COLUMNS:
        return ()
    if columns == ALL:
        return None
    names = split_names(columns)
    twice = next((name for name in names if names.count(name) > 1), None)
    if "" in names or twice is not None:
        problem = "an empty name" if "" in names else f"{twice!r} twice"
        raise typer.BadParameter(f"--columns: got {problem}; give all, none, or names such as --columns id,date")
    return names


def _module(model: Path | None) -> Path:
    if model is None:
        raise typer.BadParameter("--features names the input of a module of your own; name its bundle with -m BUNDLE")
    require(model)
    if module_card_of(model) is None:
        raise typer.BadParameter(f"--features: {model} is a linear model, which names its columns itself; leave it out")
    return model
