"""`linreg bench --env`: may I upgrade? What it prints last, what it ends with, and what it refuses."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.bench_command import WRITTEN
from tests.conftest import contents
from tests.environments import stand_in

pytestmark = pytest.mark.usefixtures("frozen", "threads")

FEW = ["--processes", "7", "--rounds", "10", "--batch", "1"]


@pytest.fixture
def environments(penguins, tmp_path):
    """The words for two environments, of which the second is changed like this."""

    def make(**changes):
        old = stand_in(tmp_path / "old", penguins, version="1.15.1", units=1000)
        new = stand_in(tmp_path / "new", penguins, **{"version": "1.32.0", "units": 1000, **changes})
        return ["-m", penguins, "--env", f"old={old}", "--env", f"new={new}", *FEW]

    return make


def test_the_last_lines_answer_the_question(linreg, penguins, environments):
    words = environments(units=4000)
    ended = linreg("bench", *words, "-o", "out", "--fail-slower", "3%")
    assert ended.code == 4
    assert re.match(r"about \d+ s: 7 sets of processes$", ended.err, re.MULTILINE), "before the answer"
    *_, first, second = ended.out.splitlines()
    for line, row in ((first, "onnxruntime-run"), (second, "onnxruntime-io_binding")):
        assert line.startswith(f"onnxruntime 1.15.1 -> 1.32.0, {row}: answers bit-identical in ")
        assert "; batch 1: " in line
        assert "% slower [" in line
    assert "error: new: onnxruntime-" in ended.err.splitlines()[-1]
    assert "allowed 3.0 %, exceeded by 2 of 2 rows" in ended.err.splitlines()[-1]
    assert {path.name for path in Path("out").iterdir()} == WRITTEN
    report = json.loads(Path("out/bench.json").read_text())
    assert [entry["versions"]["onnxruntime"] for entry in report["environments"]["found"]] == ["1.15.1", "1.32.0"]
    assert "old=.../python" in report["command"], "a report holds no path of this machine"
    assert "new: onnxruntime-run" in Path("out/report.html").read_text()


def test_a_bundle_keeps_its_own_report(linreg, penguins, environments):
    before = contents(penguins)
    ended = linreg("bench", *environments(), "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert {change["verdict"] for change in report["environments"]["changes"]} <= {
        "equivalent",
        "inconclusive",
        "faster",
        "slower",
    }
    assert ended.err.splitlines()[-1].startswith("onnxruntime 1.15.1 -> 1.32.0")
    assert contents(penguins) == before


def test_without_a_folder_the_last_line_says_how_to_save_the_report(linreg, penguins, environments):
    before = contents(penguins)
    *_, answer, last = linreg("bench", *environments()).out.splitlines()
    assert answer.startswith("onnxruntime 1.15.1 -> 1.32.0, onnxruntime-io_binding: ")
    assert re.fullmatch(r"next:  linreg bench -m .* --env old=.* -o FOLDER   \(saves the report\)", last)
    assert contents(penguins) == before


def test_a_different_answer_ends_with_3(linreg, environments):
    ended = linreg("bench", *environments(wrong=5.0))
    assert ended.code == 3
    assert "answers DIFFERENT: new: onnxruntime-run: batch 1: 'output' at row 0" in ended.out
    assert "new: onnxruntime-run: batch 1" in ended.err.splitlines()[-1]


def test_inputs_of_ones_own_are_answered_too(linreg, environments, tmp_path):
    np.savez(tmp_path / "mine.npz", input=np.array([[40, 18, 200], [45, 17, 210]], np.float32))
    words = environments(on_run="BIAS[:] += 5.0 * (len(feed['input']) == 2)")
    right = linreg("bench", *words)
    assert right.code == 0, "no other case has two rows"
    assert linreg("bench", *words, "--inputs", "mine.npz").code == 3
    ended = linreg("bench", *words, "--inputs", "missing.npz")
    assert "missing.npz" in ended.failure()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "old"], "expected NAME=PYTHON"),
        (["--env", "old=missing"], "missing is not a program"),
        (["--env", "old=."], ". is not a program"),
        (["--env", "o/d=python"], "expected NAME=PYTHON"),
    ],
)
def test_what_is_no_environment(linreg, words, message):
    failure = linreg("bench", *words).failure(2)
    assert "--env" in failure
    assert message in failure


def test_the_folder_of_an_environment_names_the_python_in_it(linreg, penguins, tmp_path):
    stand_in(tmp_path / "old", penguins)
    assert "expected the Python in it: old=old/bin/python" in linreg("bench", "--env", "old=old").failure(2)


@pytest.mark.parametrize(
    "more",
    [
        ["--device", "cpu"],
        ["--compile"],
        ["--variant", "a.py:b"],
        ["--against", "other/model.onnx"],
        ["--reference", "null"],
        ["--compare", "old.json"],
        ["--runtimes", "deploy"],
        ["--threads", "1,2"],
        ["--self-check"],
        ["--onnx-optimization", "disabled"],
        ["--budget", "p99=1ms"],
        ["--wait"],
        ["--force"],
    ],
    ids=lambda words: words[0],
)
def test_what_does_not_go_with_environments(linreg, environments, more):
    failure = linreg("bench", *environments(), *more).failure(2)
    assert more[0] in failure


def test_one_set_of_processes_is_too_few(linreg, environments):
    """Its interval would be the one within a process, which says nothing of two environments."""
    words = environments()
    words[words.index("--processes") + 1] = "1"
    assert "error: --processes: got 1, expected 2 to" in linreg("bench", *words).failure(2)


def test_one_environment_and_one_name_for_two_are_refused(linreg, environments):
    words = environments()
    assert "got 1 environment, expected 2 to 8" in linreg("bench", *words[:4]).failure(2)
    twice = [word if not str(word).startswith("new=") else str(word).replace("new=", "old=", 1) for word in words]
    assert "old names two environments" in linreg("bench", *twice).failure(2)


def test_a_program_that_is_no_python(linreg, environments, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.benchmark.measure", lambda *args, **more: pytest.fail("the model is prepared"))
    words = environments()
    other = tmp_path / "echo"
    other.write_text("#!/bin/sh\necho hello\nread line\n")
    other.chmod(0o755)
    words[words.index(next(word for word in words if str(word).startswith("new=")))] = f"new={other}"
    assert "is not a Python: it printed 'hello" in linreg("bench", *words).failure().replace('"', "'")
