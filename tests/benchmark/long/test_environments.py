"""How often a comparison of environments is right: the same runtime installed twice, and 5 % more or less work in one.

`pytest tests/benchmark/long/test_environments.py` takes about ten minutes. The stand-in of onnxruntime makes
the planted change exact: all but a few percent of a call hashes a known number of bytes. A loop in Python would not do:
its speed differs by several percent from process to process.
"""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.benchmark import bench
from tests.environments import SITE, make_environment, stand_in

RUNS = 20
UNITS = 8000


def verdicts(bundle, environments) -> Counter[str]:
    """The verdicts of all rows and batch sizes over the runs."""
    found: Counter[str] = Counter()
    for _ in range(RUNS):
        report = bench(bundle, environments=environments)
        found += Counter(change.verdict.value for change in report.environments.changes)
        print(report.environments.changes)
    return found


def installation(folder: Path) -> Path:
    """Make an environment with copies of numpy and onnxruntime, which lie elsewhere in memory than others."""
    python = make_environment(folder, "numpy", "onnxruntime")
    for link in (folder / SITE).iterdir():
        source = link.resolve()
        link.unlink()
        shutil.copytree(source, link)
    return python


def test_the_same_onnxruntime_in_two_environments_is_equivalent(penguins, tmp_path):
    places = {name: installation(tmp_path / name) for name in ("old", "new")}
    found = verdicts(penguins, places)
    assert found == {"equivalent": RUNS * 4}, "two rows at two batch sizes"


@pytest.mark.parametrize(("units", "verdict"), [(UNITS * 105 // 100, "slower"), (UNITS * 95 // 100, "faster")])
def test_a_planted_change_of_5_percent_is_found_every_time(penguins, tmp_path, units, verdict):
    old = stand_in(tmp_path / "old", penguins, units=UNITS)
    new = stand_in(tmp_path / "new", penguins, units=units)
    found = verdicts(penguins, {"old": old, "new": new})
    assert found == {verdict: RUNS * 4}
