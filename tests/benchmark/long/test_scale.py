"""Tables beyond memory: CPU seconds and peak memory of train and predict, beside the scripts that people would write.

The tables are made here and deleted afterwards; the largest takes 4.2 GB. `--scale FILE` writes the table of results;
artifacts/reference/benchmarks/scale.md is such a file.

Other work on the machine only adds to CPU time, so reading and writing run in turn with predict, several times, and the
least counts. A command begins once what was written before is on the disk, and what it wrote is deleted: a virtual
machine charges for memory that it has not used before. Bytecode is kept as for an installed package, also if
PYTHONDONTWRITEBYTECODE is set.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from bench.environment import describe_environment

ROWS = 10_000_000
FEATURES = 16
CHUNK_ROWS = 500_000
MOST_BYTES = 500 * 10**6
TURNS = {"parquet": 7, "csv": 3}

PLAIN_FIT = """
import sys
import pandas
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

read = pandas.read_parquet if sys.argv[1].endswith("parquet") else pandas.read_csv
table = read(sys.argv[1])
parts = train_test_split(table.drop(columns="y"), table["y"], test_size=0.2, random_state=0)
model = LinearRegression().fit(parts[0], parts[2])
for features, target in (parts[::2], parts[1::2]):
    predicted = model.predict(features)
    for metric in (r2_score, mean_squared_error, mean_absolute_error):
        print(metric(target, predicted))
"""

PLAIN_COPY = """
import sys
import pyarrow.csv
import pyarrow.parquet

source, target = sys.argv[1:]
if source.endswith("parquet"):
    file = pyarrow.parquet.ParquetFile(source, pre_buffer=False)
    with pyarrow.parquet.ParquetWriter(target, file.schema_arrow, use_dictionary=False) as writer:
        for batch in file.iter_batches(65_536):
            writer.write_batch(batch)
else:
    with pyarrow.csv.open_csv(source) as reader, pyarrow.csv.CSVWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command took.

    Attributes:
        cpu_s: user and system time of the process and all its threads.
        peak_bytes: largest resident memory.
    """

    cpu_s: float
    peak_bytes: int


MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
"""
"""A process begins with the peak memory of the one that forks it, so that one must be small."""


def cost_of(*command: str | Path) -> Cost:
    small = [sys.executable, "-S", "-c", MEASURE, *map(str, command)]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    os.sync()
    ended = subprocess.run(small, capture_output=True, text=True, check=True, env=environment)
    code, cpu_s, peak_bytes = ended.stdout.split()
    assert code == "0", ended.stderr
    return Cost(cpu_s=float(cpu_s), peak_bytes=int(peak_bytes))


def linreg(*words: str | Path) -> Cost:
    return cost_of(sys.executable, "-m", "linreg", *words)


def plain(script: str, *words: Path) -> Cost:
    return cost_of(sys.executable, "-c", script, *words)


def write_parquet(path: Path, rows: int) -> None:
    names = [*(f"x{place}" for place in range(FEATURES)), "y"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pyarrow.parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for start in range(0, rows, CHUNK_ROWS):
            generator = np.random.default_rng(start)
            values = generator.standard_normal((FEATURES, min(CHUNK_ROWS, rows - start))).round(6)
            target = (np.arange(1, FEATURES + 1) @ values + generator.standard_normal(values.shape[1])).round(6)
            writer.write_table(pa.table([*values, target], schema=schema))


def write_csv(path: Path, source: Path) -> None:
    file = pyarrow.parquet.ParquetFile(source)
    with pyarrow.csv.CSVWriter(path, file.schema_arrow) as writer:
        for batch in file.iter_batches(CHUNK_ROWS):
            writer.write_batch(batch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with t.parquet, t.csv and, three times as long, long.parquet; it is emptied afterwards."""
    path = tmp_path_factory.mktemp("scale")
    write_parquet(path / "t.parquet", ROWS)
    write_csv(path / "t.csv", path / "t.parquet")
    write_parquet(path / "long.parquet", 3 * ROWS)
    yield path
    for file in path.rglob("*"):
        if file.is_file():
            file.unlink()


def measured(folder: Path) -> dict[str, Cost]:
    costs = {}
    for kind, turns in TURNS.items():
        costs |= fits(folder, kind)
        linreg("export", "-m", folder / f"net-{kind}")
        costs |= least([copies(folder, kind) for _ in range(turns)])
    costs["train, parquet, three times the rows"] = linreg(
        "train", folder / "long.parquet", "--target", "y", "-o", folder / "net-long"
    )
    costs["predict, parquet, three times the rows"] = linreg(
        *("predict", folder / "long.parquet", "-m", folder / "net-parquet/model.onnx"),
        *("-o", folder / "predicted.parquet"),
    )
    return costs


def fits(folder: Path, kind: str) -> dict[str, Cost]:
    table = folder / f"t.{kind}"
    return {
        f"pandas + scikit-learn, {kind}": plain(PLAIN_FIT, table),
        f"train, {kind}": linreg("train", table, "--target", "y", "-o", folder / f"net-{kind}", "--force"),
    }


def copies(folder: Path, kind: str) -> dict[str, Cost]:
    table, written = folder / f"t.{kind}", folder / f"written.{kind}"
    costs = {f"pyarrow read and write, {kind}": plain(PLAIN_COPY, table, written)}
    written.unlink()
    costs[f"predict, {kind}"] = linreg("predict", table, "-m", folder / f"net-{kind}" / "model.onnx", "-o", written)
    written.unlink()
    return costs


def least(turns: list[dict[str, Cost]]) -> dict[str, Cost]:
    return {
        name: Cost(
            cpu_s=min(turn[name].cpu_s for turn in turns), peak_bytes=max(turn[name].peak_bytes for turn in turns)
        )
        for name in turns[0]
    }


def table_of(costs: dict[str, Cost]) -> str:
    machine = describe_environment()
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    turns = " and ".join(f"{count} times on {kind}" for kind, count in TURNS.items())
    rows = "".join(f"| {name} | {cost.cpu_s:.2f} | {cost.peak_bytes / 1e6:.0f} |\n" for name, cost in costs.items())
    return f"""# Tables beyond memory

{ROWS:,} rows of {FEATURES} features and a target, float64. `pytest tests/benchmark/long/test_scale.py --scale FILE`
on {machine.processor} ({machine.cores} cores), Python {machine.python}, {versions}.
pyarrow's reading and writing ran in turn with predict, {turns}; the least is shown.

| command | CPU s | peak memory, MB |
|---|---|---|
{rows}"""


def test_memory_is_constant_and_cpu_time_is_below_that_of_plain_scripts(benchmark, folder, request):
    costs: dict[str, Cost] = {}
    benchmark.pedantic(lambda: costs.update(measured(folder)), rounds=1)
    text = table_of(costs)
    print(f"\n{text}")
    if path := request.config.getoption("--scale"):
        path.write_text(text, encoding="utf-8")
    for kind, share in (("parquet", 0.5), ("csv", 1.0)):
        assert costs[f"train, {kind}"].peak_bytes < MOST_BYTES
        assert costs[f"predict, {kind}"].peak_bytes < MOST_BYTES
        assert costs[f"train, {kind}"].cpu_s <= share * costs[f"pandas + scikit-learn, {kind}"].cpu_s
        assert costs[f"predict, {kind}"].cpu_s <= 1.6 * costs[f"pyarrow read and write, {kind}"].cpu_s
    for command in ("train", "predict"):
        once, thrice = (costs[f"{command}, parquet{rest}"].peak_bytes for rest in ("", ", three times the rows"))
        assert thrice <= 1.1 * once
