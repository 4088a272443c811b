"""The lines that answer whether one may upgrade."""

from dataclasses import replace

import pytest

from bench.analysis.environments import EnvironmentVersions
from bench.analysis.statistics import Ratio, Verdict
from bench.report.environments import environment_changes, environment_lines
from tests.bench_measured import environments


def line(**changes) -> str:
    (found,) = environment_lines(environments(**changes))
    return found


def test_the_line_names_versions_answers_and_speeds():
    assert line() == (
        "onnxruntime 1.15.1 -> 1.32.0 (Python 3.11.7 -> 3.12.4), onnxruntime-run: answers bit-identical in 24 cases; "
        "batch 1: 8.0 % faster [7.1, 8.8]; batch 4096: 8.0 % faster [7.1, 8.8]"
    )


def test_a_row_of_torch_names_torch():
    assert line(row="torchscript").startswith("torch 2.11.0 -> 2.13.0 (Python 3.11.7 -> 3.12.4), torchscript: ")


@pytest.mark.parametrize(
    ("verdict", "ratio", "text"),
    [
        (Verdict.EQUIVALENT, Ratio(estimate=1.001, low=0.99, high=1.012), "batch 1: equivalent;"),
        (Verdict.SLOWER, Ratio(estimate=1.05, low=1.043, high=1.058), "batch 1: 5.0 % slower [4.3, 5.8];"),
        (
            Verdict.INCONCLUSIVE,
            Ratio(estimate=1.01, low=0.98, high=1.04),
            "batch 1: inconclusive, time changes by -2.0 to +4.0 %;",
        ),
    ],
)
def test_speeds_in_words(verdict, ratio, text):
    assert text in line(verdict=verdict, ratio=ratio)


def test_answers_in_words():
    assert "answers within tolerance (0.50 of allowed) in 24 cases" in line(bit_identical=False)
    assert "answers bit-identical in 1 case;" in line(cases=1)
    wrong = line(problem="new: onnxruntime-run: batch 7: output at row 3", worst_error=None, bit_identical=False)
    assert wrong.endswith("answers DIFFERENT: new: onnxruntime-run: batch 7: output at row 3")


def test_a_row_that_does_not_run_gives_no_different_answer():
    problem = "new: onnxruntime-run: does not load: ImportError: libfoo.so"
    broken = line(problem=problem, worst_error=None, bit_identical=False, runs=False)
    assert broken.endswith(f"onnxruntime-run: {problem}")


def test_several_environments_are_named_and_none_twice():
    first, other = environments().found
    found = replace(environments(), found=(first, replace(first, name="copy"), other))
    answers = [replace(found.answers[0], environment=name) for name in ("copy", "new")]
    lines = environment_lines(replace(found, answers=tuple(answers)))
    assert lines[0].startswith("old -> copy, both onnxruntime 1.15.1, onnxruntime-run: ")
    assert lines[1].startswith("old -> new: onnxruntime 1.15.1 -> 1.32.0 (")


def test_the_same_versions_are_named_once():
    same = EnvironmentVersions(
        name="b", python="3.11.7", versions={"onnxruntime": "1.15.1", "torch": "9", "numpy": "2.4.6"}
    )
    assert line(new=same).startswith("old -> b, both onnxruntime 1.15.1, onnxruntime-run: ")
    gone = EnvironmentVersions(name="b", python="3.11.7", versions={"onnxruntime": "1.15.1"})
    assert line(new=gone).startswith("numpy 2.4.6 -> none, onnxruntime-run: ")


@pytest.mark.parametrize(
    ("estimate", "low", "limit", "slower"),
    [(1.05, 1.01, 0.03, True), (1.05, 0.99, 0.03, False), (1.02, 1.01, 0.03, False), (1.05, 1.01, None, False)],
)
def test_the_gate_needs_the_estimate_beyond_the_limit_and_certainty(estimate, low, limit, slower):
    found = environments(ratio=Ratio(estimate=estimate, low=low, high=1.2))
    assert [change.slower for change in environment_changes(found, limit=limit)] == [slower, slower]
