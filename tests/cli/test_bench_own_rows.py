"""`linreg bench --variant`: rows of the user's own beside the others, and what they do wrong is theirs alone."""

import json

import pytest

from tests.bench_command import QUICK, rows_of

pytestmark = pytest.mark.usefixtures("frozen", "threads")

VARIANTS = """
from dataclasses import replace
from pathlib import Path

from export.runners.base import Runner
from export.runners.torch import torch_runner
from linreg.checkpoint import load


def mine():
    return torch_runner("mine", load(Path(BUNDLE)).model)


def off():
    runner = mine()

    def bind(inputs):
        call = runner.bind(inputs)
        return replace(call, outputs=lambda: tuple(output + 1 for output in call.outputs()))

    return replace(runner, bind=bind)


def refuses():
    def bind(inputs):
        raise ValueError("only\\nmy own inputs")

    return Runner(name="refuses", bind=bind, parameters=dict)


def changed(**fields):
    runner = mine()
    return replace(runner, bind=lambda inputs: replace(runner.bind(inputs), **fields))


def fail():
    raise RuntimeError("boom")


def later():
    calls = iter(range(50))
    return changed(run=lambda: next(calls))


def raises():
    return changed(run=fail)


def ends():
    return changed(run=lambda: exit(4))


def ends_when_asked():
    return changed(outputs=lambda: exit(4))


def nothing():
    return changed(outputs=lambda: None)


def numbers():
    return changed(outputs=lambda: (1.0,))
"""


def test_rows_of_ones_own_beside_the_others(linreg, bundle, tmp_path):
    (tmp_path / "rows.py").write_text(VARIANTS.replace("BUNDLE", repr(str(bundle))))
    words = ["-m", bundle, *QUICK, "--device", "cpu", "--json"]
    ended = linreg("bench", *words, "--variant", "rows.py:mine")
    assert ended.code == 0, ended.err
    row = rows_of(json.loads(ended.out))["mine"]
    assert (row["kind"], row["origin"], row["bytes_equal"], row["problem"]) == ("factory", None, True, "")
    assert row["median_s"] > 0
    ended = linreg("bench", *words, "--variant", "rows.py:off", "--variant", "rows.py:refuses")
    assert ended.code == 3
    rows = rows_of(json.loads(ended.out))
    assert "expected" in rows["off"]["problem"]
    assert rows["refuses"]["problem"] == ("refuses: batch 1: rejected its inputs: only my own inputs")
    assert (rows["off"]["median_s"], rows["refuses"]["median_s"]) == (None, None)
    assert rows["pt2"]["median_s"] > 0
    assert "another row is called pt2" in linreg("bench", *words, "--variant", "rows.py:pt2").failure()
    message = linreg("bench", *words, "--variant", "rows.py:gone").failure()
    assert "has no 'gone'; expected FILE.py:NAME of a function that returns a Runner" in message
    message = linreg("bench", *words, "--variant", "none.py:gone").failure()
    assert "--variant: got 'none.py:gone', expected FILE.py:NAME of an existing file" in message


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_whatever_a_row_of_ones_own_does_it_is_struck_out_alone(linreg, bundle, tmp_path, processes):
    (tmp_path / f"rows_{processes}.py").write_text(VARIANTS.replace("BUNDLE", repr(str(bundle))))
    expected = {
        "later": "failed during timing: StopIteration",
        "raises": "failed during timing: boom",
        "ends": "failed during timing: 4",
        "ends_when_asked": "does not run: 4",
        "nothing": "returns NoneType, expected a tuple of arrays",
        "numbers": "returns tuple, expected a tuple of arrays",
    }
    words = ["-m", bundle, *QUICK, "--processes", processes, "--device", "cpu", "--json"]
    for name in expected:
        words += ["--variant", f"rows_{processes}.py:{name}"]
    ended = linreg("bench", *words)
    assert ended.code == 3, ended.err
    rows = rows_of(json.loads(ended.out))
    assert {name: rows[name]["problem"] for name in expected} == {
        name: f"{name}: batch 1: {text}" for name, text in expected.items()
    }
    assert all(row["median_s"] > 0 for name, row in rows.items() if name not in expected)
    message = linreg("bench", *words, "--reference", "raises").failure(3)
    assert "raises: batch 1: failed during timing: boom; nothing can be compared" in message
