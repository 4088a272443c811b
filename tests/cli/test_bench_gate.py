"""`linreg bench --compare` and `--fail-slower`: which reports are compared, and what ends with 4."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest

from tests.bench_command import QUICK, WRITTEN, rows_of

pytestmark = pytest.mark.usefixtures("frozen", "threads")


def change_ratios(report, name, factor):
    """Multiply every ratio of one row, in every process and over them."""
    row = rows_of(report)[name]
    for ratio in (row["ratio"], *(process["ratio"] for process in row["processes"])):
        for key, value in ratio.items():
            ratio[key] = None if value is None else value * factor


def level(report, name):
    """Let every process have found the same ratio, so that its change is known exactly."""
    row = rows_of(report)[name]
    for process in row["processes"]:
        process["ratio"] = deepcopy(row["ratio"])


def test_an_old_report_that_was_30_times_as_fast_fails_the_gate(linreg, penguins, report, tmp_path):
    """Measured anew, in two processes, against a report in which one row was 30 times as fast."""
    change_ratios(report, "torchscript", 1 / 30)
    (tmp_path / "old.json").write_text(json.dumps(report))
    words = ["-m", penguins, "--processes", "2", "--rounds", "10", "--batch", "1", "-o", "new"]
    ended = linreg("bench", *words, "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 4, ended.err
    *_, last = ended.err.splitlines()
    assert last.startswith("error: torchscript at batch 1 is ")
    assert "allowed 3.0 %" in last
    (line,) = [line for line in ended.out.splitlines() if line.startswith("│ torchscript ") and "cpu 1 x 1" in line]
    assert "slower" in line
    assert {path.name for path in Path("new").iterdir()} == WRITTEN


@pytest.mark.parametrize(
    ("factor", "limit", "code"), [(1 / 1.5, "3%", 4), (1 / 1.5, "0.6", 0), (1.5, "3%", 0), (1.0, "3%", 0)]
)
def test_the_gate_judges_ratios(linreg, penguins, report, measured, tmp_path, factor, limit, code):
    for row in rows_of(report).values():
        if row["ratio"] is not None:
            level(report, row["name"])
    measured(report)
    change_ratios(report, "pt2", factor)
    (tmp_path / "old.json").write_text(json.dumps(report))
    words = ["-m", penguins, "-o", "new", "--compare", "old.json"]
    ended = linreg("bench", *words, "--fail-slower", limit)
    assert ended.code == code, ended.err
    (line,) = [line for line in ended.out.splitlines() if line.startswith("│ pt2 ") and "cpu 1 x 1" in line]
    assert f"{1 / factor:.3f}" in line
    if code == 4:
        *_, last = ended.err.splitlines()
        assert last == (
            "error: pt2 at batch 1 is 50.0 % slower (+50.0 % to +50.0 %), allowed 3.0 %, exceeded by "
            f"1 of {sum(row['ratio'] is not None and row['answers'] for row in rows_of(report).values())} rows"
        )
    assert linreg("bench", *words).code == 0, "without --fail-slower it is only shown"


def test_a_wrong_row_comes_before_a_slow_one(linreg, penguins, report, measured, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(report))
    rows_of(report)["pt2"]["problem"] = "pt2: is wrong"
    change_ratios(report, "torchscript", 30)
    measured(report)
    ended = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == "error: pt2: is wrong"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda old: old["environment"].update(processor="another"), "processor 'another'"),
        (lambda old: old["environment"].update(cores=96), "cores 96"),
        (lambda old: old["settings"].update(threads=[1, 2]), "run with the same --threads"),
        (lambda old: old.update(reference="pt2"), "use --reference pt2"),
        (lambda old: old["comparisons"][0].update(batch=3), "no row in common"),
    ],
    ids=["processor", "cores", "threads", "reference", "batch"],
)
def test_reports_that_cannot_be_compared_are_refused(linreg, penguins, report, measured, tmp_path, change, message):
    measured(report)
    change(report)
    (tmp_path / "old.json").write_text(json.dumps(report))
    ended = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == 1
    *_, last = ended.err.splitlines()
    assert last.startswith("error: --compare: ")
    assert message in last


def test_one_process_is_not_enough_to_be_compared(linreg, penguins, report, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(report))
    ended = linreg("bench", "-m", penguins, "-o", "new", *QUICK, "--compare", "old.json")
    assert ended.code == 1
    assert "--compare: needs two processes or more" in ended.err


@pytest.mark.parametrize("text", ['{"schema_version": 1, "comparisons": []}', '{"mine": 1}', "[1]", "text", ""])
def test_what_is_no_report_is_refused_before_the_work(linreg, penguins, measured, report, tmp_path, text):
    asked = measured(report)
    (tmp_path / "old.json").write_text(text)
    message = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json").failure()
    assert "old.json" in message
    assert asked == []
    assert not Path("new").exists()


def test_a_release_that_is_slower_than_the_one_before_exits_4(linreg, bundle, tmp_path, report, measured):
    shutil.copytree(bundle, tmp_path / "other")
    for name, row in rows_of(report).items():
        if row["verdict"] is not None:
            change_ratios(report, name, 1 / row["ratio"]["estimate"])
            row["ratio"].update(low=0.99, high=1.01)
    rows_of(report)["pt2"]["ratio"].update(estimate=1.05, low=1.01, high=1.09)
    measured(report)
    words = ["-m", bundle, "--against", "other/model.onnx"]
    ended = linreg("bench", *words, "--fail-slower", "3%")
    assert ended.code == 4
    assert (
        "error: pt2 at batch 1 is 5.0 % slower (+1.0 % to +9.0 %), allowed 3.0 %, exceeded by 1 of 10 rows" in ended.err
    )
    assert linreg("bench", *words, "--fail-slower", "6%").code == 0
