"""`linreg train`, `evaluate` and `plot` on long tables: Ctrl-C, progress, and rows drawn for plots."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg import sampling
from linreg.cli import plot, rows

ROWS = 300_000


def table(rows: int = ROWS, columns: int = 1) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(7)
    named = {f"x{place}": generator.normal(size=rows) for place in range(columns)}
    return named | {"y": named["x0"] + generator.normal(size=rows)}


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.parquet"
    pyarrow.parquet.write_table(pa.table(table()), path, row_group_size=100_000)
    return path


@pytest.fixture
def drawn(monkeypatch):
    """The parts that would be plotted, by call."""
    seen: list[dict[str, object]] = []

    def draw(_checkpoint, parts, *_, **_options):
        seen.append(parts)
        return []

    monkeypatch.setattr(plot, "draw", draw)
    return seen


def test_plots_of_many_rows_sample_them_the_same_for_any_workers(linreg, long, drawn):
    linreg("train", long, "--target", "y", "-o", "model")
    pictures = set()
    for workers in (1, 2, 4):
        ended = linreg("plot", long, "-m", "model", "--workers", workers, "-o", f"pictures{workers}")
        assert ended.err == ("note: the plots show 100,000 of 300,000 rows, drawn at random; metrics are of all rows\n")
        bytes_of = b""
        for name, part in drawn[-1].items():
            assert part.metrics.rows == {"train": 240_000, "test": 60_000}[name]
            bytes_of += name.encode() + part.features.tobytes() + part.actual.tobytes() + part.predicted.tobytes()
        pictures.add(bytes_of)
    assert len(pictures) == 1
    counts = {name: len(part.actual) for name, part in drawn[0].items()}
    assert sum(counts.values()) == sampling.MOST_DRAWN
    assert counts["test"] == pytest.approx(20_000, abs=600)
    actual = np.concatenate([part.actual for part in drawn[0].values()])
    assert len(np.unique(actual)) == len(actual)
    assert np.isin(actual, table()["y"]).all()


def test_evaluate_draws_no_rows(linreg, long, monkeypatch):
    linreg("train", long, "--target", "y", "-o", "model")

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(sampling, "_sample_of", fail)
    assert linreg("evaluate", long, "-m", "model").out
    assert "AssertionError" in linreg("plot", long, "-m", "model").err


@pytest.mark.parametrize("command", ["evaluate", "plot"])
def test_a_long_table_shows_its_rows_and_bytes(linreg, long, monkeypatch, command):
    linreg("train", long, "--target", "y", "-o", "model")
    told: list[object] = []

    @contextmanager
    def stages() -> Iterator[Callable[..., None]]:
        yield lambda *step, counts: told.append((*step, counts))

    monkeypatch.setattr(rows, "stages", stages)
    linreg(command, long, "-m", "model")
    size = long.stat().st_size
    assert told == [
        ("metrics", done, ROWS, f"{done:,}/300,000 rows, {size * done // ROWS / 1e6:.1f}/{size / 1e6:.1f} MB")
        for done in (65_536, 131_072, 196_608, 262_144, ROWS)
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("options", [(), ("--method", "sgd", "--batch-size", "64")], ids=["exact", "batches"])
def test_ctrl_c_ends_train(tmp_path, kind, options):
    columns = table(1_200_000, 4)  # two units, in two threads
    path = tmp_path / f"table.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.table(columns), path)
    else:
        text = "".join(
            ",".join(map(str, row)) + "\n" for row in zip(*(column[:5000] for column in columns.values()), strict=True)
        )
        path.write_text(",".join(columns) + "\n" + text * 240)
    (tmp_path / "temporary").mkdir()
    # With torch loaded before: a signal while it is imported ends the process at once.
    start = ["-c", "import torch; from _linreg import main; main()"] if options else ["-m", "linreg"]
    command = [
        sys.executable,
        *start,
        "train",
        path,
        "--target",
        "y",
        "--memory",
        "1MB",
        "--workers",
        "2",
        "-o",
        "model",
        *options,
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=-1, stderr=-1) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(f"{path}: 'y' from")
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    assert err == (
        "error: interrupted; nothing was written; "
        "with a gradient method, --keep-on-interrupt saves the best parameters so far\n"
    )
    assert not (tmp_path / "model").exists()
    assert list((tmp_path / "temporary").iterdir()) == []
