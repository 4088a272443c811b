"""`linreg bench` in a workflow: GitHub's summary, the file of github-action-benchmark, and the next command."""

import json
import shlex
from pathlib import Path

import pytest

from bench.plan.settings import bench_settings
from linreg.cli.bench_next import next_command
from tests.bench_command import rows_of
from tests.table_text import Page

pytestmark = pytest.mark.usefixtures("frozen", "threads")


def test_the_summary_is_appended_with_its_gates(linreg, bundle, measured, report, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("# mine\n")
    (tmp_path / "old.json").write_text(json.dumps(report))
    measured(report)
    words = ["--compare", "old.json", "--fail-slower", "3%", "--github"]
    ended = linreg("bench", "-m", bundle, *words)
    assert ended.code == 0, ended.err
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# mine\n\n**gate: passed; the worst is ")
    page = Page(text)
    names = {row[0] for row in page.rows}
    assert set(rows_of(report)) <= names
    assert any("new ratio / old" in row for row in page.rows)
    assert "batch 1: " in page.outside


def test_a_summary_of_wrong_outputs_strikes_them_out_and_exits_3(
    linreg, bundle, measured, report, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    rows_of(report)["pt2"]["problem"] = "pt2: is wrong"
    measured(report)
    assert linreg("bench", "-m", bundle, "--github").code == 3
    assert Page((tmp_path / "summary.md").read_text()).struck == ["pt2"]


def test_a_summary_that_cannot_be_written_is_refused_before_the_work(linreg, bundle, measured, report, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bundle))
    asked = measured(report)
    message = linreg("bench", "-m", bundle, "--github").failure()
    assert f"{bundle}: cannot be written: Is a directory; check GITHUB_STEP_SUMMARY, or leave out --github" in message
    assert asked == []


def test_outside_of_a_workflow_there_is_no_summary(linreg, bundle, measured, report, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    measured(report)
    ended = linreg("bench", "-m", bundle, "--github")
    assert ended.code == 0
    assert "--github: GITHUB_STEP_SUMMARY is not set, so no summary was written" in ended.err


def test_ratios_are_written_for_github_action_benchmark(linreg, bundle, measured, report):
    rows_of(report)["pt2"]["problem"] = "pt2: is wrong"
    measured(report)
    ended = linreg("bench", "-m", bundle, "--benchmark-json", "ratios.json")
    assert ended.code == 3
    assert "saved: ratios.json" in ended.out
    entries = json.loads(Path("ratios.json").read_text())
    assert {type(entry["value"]) for entry in entries} == {float}
    assert all(set(entry) == {"name", "unit", "value", "range", "extra"} for entry in entries)
    assert len({entry["name"] for entry in entries}) == len(entries)
    expected = {
        f"{name}, batch 1, 1 thread, CPU": row["ratio"]["estimate"]
        for name, row in rows_of(report).items()
        if row["verdict"] is not None and not row["problem"]
    }
    assert {entry["name"]: entry["value"] for entry in entries} == expected
    assert entries[0]["unit"] == "of the time of eager-inference_mode"


@pytest.mark.parametrize("text", ["mine", '{"a": 1}', "[1]", ""])
def test_a_file_of_another_kind_is_not_overwritten(linreg, bundle, measured, report, text):
    asked = measured(report)
    Path("ratios.json").write_text(text)
    words = ["-m", bundle, "--benchmark-json", "ratios.json"]
    assert "ratios.json: already exists, and holds no benchmarks" in linreg("bench", *words).failure()
    assert asked == []
    assert linreg("bench", *words, "--force").code == 0
    assert linreg("bench", *words).code == 0, "its own file is replaced"


# ---- the last line ---------------------------------------------------------------------------------------------------


def last(ended) -> str:
    return ended.out.splitlines()[-1]


def test_the_next_command_can_be_run_as_it_is(linreg, bundle, measured, report):
    measured(report)
    ended = linreg("bench", "-m", bundle, "--batch", "1")
    assert last(ended).startswith("next:  linreg bench -m ")
    program, *words = shlex.split(last(ended).removeprefix("next:  ").partition("   ")[0])
    assert program == "linreg"
    following = linreg(*words)
    assert following.code == 0, following.err
    assert "gate: passed; the worst is " in following.out
    assert last(following) == f"next:  linreg {shlex.join(words)}   (after the next change)"


def settings(processes: int | None = None):
    return bench_settings(
        batches="1",
        threads="1",
        onnxruntime_threads=None,
        processes=processes,
        rounds=10,
        target="1%",
        reference=None,
        against=False,
    )


@pytest.mark.parametrize(
    ("words", "processes", "changes", "expected"),
    [
        ("bench -m a --processes 1", 1, {}, "linreg bench -m a   (intervals that hold beyond one process)"),
        ("bench --processes=1 -m a", 1, {}, "linreg bench -m a   (intervals that hold beyond one process)"),
        (
            "bench --module f.py:N",
            None,
            {"report": None},
            "linreg bench --module f.py:N -o FOLDER   (keeps the report)",
        ),
        (
            "bench -m a --against b.onnx",
            None,
            {"report": None, "against": True},
            "linreg bench -m a --against b.onnx --fail-slower 3%   (exits with 4 if a row is slower)",
        ),
        (
            "bench -m a --compare=old.json",
            None,
            {},
            "linreg bench -m a --compare=old.json --fail-slower 3%   (exits with 4 if a row is slower)",
        ),
        (
            "bench -m 'a b'",
            None,
            {"report": Path("a b/bench.json")},
            "linreg bench -m 'a b' --compare 'a b/bench.json' --fail-slower 3%   (after a change)",
        ),
        (
            "bench -m a --compare old.json --fail-slower 3% -o new",
            None,
            {"report": Path("new/bench.json")},
            "linreg bench -m a --compare new/bench.json --fail-slower 3% -o new   (after the next change)",
        ),
        (
            "bench -m a --compare=old.json --fail-slower=3%",
            None,
            {},
            "linreg bench -m a --compare=a/bench.json --fail-slower=3%   (after the next change)",
        ),
        (
            "bench -m a --against b.onnx --fail-slower 3%",
            None,
            {"report": None, "against": True},
            "linreg bench -m a --against b.onnx --fail-slower 3%   (after the next change)",
        ),
        (
            "bench -m a --env old=b --env new=c --fail-slower 3%",
            None,
            {"report": None, "environments": True},
            "linreg bench -m a --env old=b --env new=c --fail-slower 3% -o FOLDER   (saves the report)",
        ),
        (
            "bench -m a --env old=b --env new=c -o out",
            None,
            {"environments": True},
            "linreg bench -m a --env old=b --env new=c -o out --fail-slower 3%   (exits with 4 if a row is slower)",
        ),
    ],
)
def test_what_is_next_follows_from_what_was_done(words, processes, changes, expected):
    given = {"report": Path("a/bench.json"), "against": False, "environments": False, **changes}
    assert next_command(shlex.split(words), settings(processes), **given) == expected
