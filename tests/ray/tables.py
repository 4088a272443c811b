"""A table of four units in a folder of Parquet files, and linreg on the command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from linreg.problem import UNIT_BLOCKS
from linreg.reading.blocks import BLOCK_ROWS

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3 * UNIT_BLOCKS * BLOCK_ROWS + 1234


def write_folder(folder: Path) -> None:
    """Write the table, cut at other places than its units are; one row has no value."""
    random = np.random.default_rng(13)
    features = np.round(random.standard_normal((ROWS, 3)), 2) + np.array([0, 100, 1000])
    target = features @ [1, 2, 3] + random.standard_normal(ROWS)
    features[5, 0] = np.nan
    columns = {f"x{place}": pa.array(column, from_pandas=True) for place, column in enumerate(features.T)}
    table = pa.table({"id": np.arange(ROWS), **columns, "y": target})
    folder.mkdir()
    for place, (start, stop) in enumerate([(0, 1_000_000), (1_000_000, 1_000_001), (1_000_001, ROWS)]):
        part = table.slice(start, stop - start)
        pyarrow.parquet.write_table(part, folder / f"{place}.parquet", row_group_size=300_000)


def command(*words: object) -> list[str]:
    """The command line of linreg."""
    return [sys.executable, str(ROOT / "_linreg.py"), "linreg", *map(str, words)]


def linreg(folder: Path, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run linreg in a folder, and check how it ends."""
    done = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == code, done.stderr
    return done


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
