"""A model in two environments, each a real process of another Python."""

import shutil
import sys
from contextlib import contextmanager

import pytest

from bench.benchmark import bench
from bench.report.environments import environment_changes, environment_lines
from bench.report.report import Report
from linreg.errors import LinregError, MismatchError
from tests.environments import SITE, make_environment, stand_in, with_torch

pytestmark = pytest.mark.usefixtures("frozen", "threads")

QUICK = {"processes": 2, "rounds": 10, "batches": 1}
SURE = {**QUICK, "processes": 7}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An environment that has onnxruntime and numpy, and neither linreg nor torch."""
    return make_environment(tmp_path_factory.mktemp("real") / "venv", "numpy", "onnxruntime")


def answers(report, environment, row="onnxruntime-run"):
    (found,) = (entry for entry in report.environments.answers if (entry.environment, entry.row) == (environment, row))
    return found


def test_the_same_runtime_twice(penguins, real):
    report = bench(penguins, environments={"old": real, "new": real}, **QUICK)
    assert report.reference == "old"
    (comparison,) = report.comparisons
    rows = ("onnxruntime-run", "onnxruntime-io_binding")
    assert [row.name for row in comparison.rows] == [f"{name}: {row}" for row in rows for name in ("old", "new")]
    assert not report.environments.missing, "no environment has torch"
    assert [row.ratio is None for row in comparison.rows] == [True, False] * 2, "each beside the same row of old"
    assert report.quality.preempted > 0, "two workers on one core"
    vectors = len(list(penguins.glob("test_data_set_*")))
    for row in rows:
        found = answers(report, "new", row)
        assert (found.problem, found.bit_identical, found.cases) == ("", True, 1 + vectors)
    assert [(change.environment, change.row, change.batch) for change in report.environments.changes] == [
        ("new", row, 1) for row in rows
    ]
    assert Report.from_json(report.to_json()) == report


def test_a_slower_runtime(penguins, tmp_path):
    old = stand_in(tmp_path / "old", penguins, version="1.15.1", units=1000)
    new = stand_in(tmp_path / "new", penguins, version="1.16.0", units=4000)
    report = bench(penguins, environments={"old": old, "new": new}, **SURE)
    change = report.environments.changes[0]
    assert change.verdict == "slower"
    assert 1.5 < change.ratio.estimate < 4.5
    line = environment_lines(report.environments)[0]
    assert line.startswith("onnxruntime 1.15.1 -> 1.16.0, onnxruntime-run: answers bit-identical in ")
    assert "% slower [" in line
    assert [entry.slower for entry in environment_changes(report.environments, limit=0.03)] == [True, True]
    assert not any(entry.slower for entry in environment_changes(report.environments, limit=20.0))


def test_answers_within_tolerance_are_not_called_identical(penguins, tmp_path):
    old = stand_in(tmp_path / "old", penguins)
    new = stand_in(tmp_path / "new", penguins, wrong=0.0005)
    report = bench(penguins, environments={"old": old, "new": new}, **QUICK)
    found = answers(report, "new")
    assert (found.problem, found.bit_identical) == ("", False)
    assert 0 < found.worst_error <= 1
    assert "answers within tolerance (" in environment_lines(report.environments)[0]


def test_a_wrong_answer_is_struck_out_and_not_timed(penguins, tmp_path):
    old, new = stand_in(tmp_path / "old", penguins), stand_in(tmp_path / "new", penguins, wrong=5.0)
    report = bench(penguins, environments={"old": old, "new": new}, **QUICK)
    row = next(row for row in report.comparisons[0].rows if row.name == "new: onnxruntime-run")
    assert row.status == "wrong"
    assert "new: onnxruntime-run: batch 1: 'output' at row 0" in row.reason
    assert not report.environments.changes
    assert "answers DIFFERENT: new: onnxruntime-run" in environment_lines(report.environments)[0]
    with pytest.raises(MismatchError, match="nothing can be compared with it"):
        bench(penguins, environments={"old": new, "new": old}, **QUICK)


def test_one_wrong_vector_is_found(penguins, tmp_path):
    """All other cases are right."""
    from export.bundle.vectors import read_vectors

    rows = next(len(vector.inputs[0]) for vector in read_vectors(penguins) if len(vector.inputs[0]) > 1)
    old = stand_in(tmp_path / "old", penguins)
    new = stand_in(tmp_path / "new", penguins, on_run=f"BIAS[:] += (len(feed['input']) == {rows})")
    report = bench(penguins, environments={"old": old, "new": new}, **QUICK)
    assert ": test_data_set_" in answers(report, "new").problem


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise RuntimeError('opset 21 is not supported')", "does not load: RuntimeError: opset 21 is not supported"),
        ("print('noise on stdout', flush=True)", ""),
    ],
)
def test_what_a_runtime_does_when_it_loads_a_file(penguins, tmp_path, statement, message):
    old = stand_in(tmp_path / "old", penguins)
    new = stand_in(tmp_path / "new", penguins, on_load=statement)
    report = bench(penguins, environments={"old": old, "new": new}, **QUICK)
    assert message in answers(report, "new").problem
    assert bool(message) == bool(answers(report, "new").problem)
    assert answers(report, "new").runs is not bool(message)
    assert all("DIFFERENT" not in line for line in environment_lines(report.environments))


def test_a_process_that_dies_is_named(penguins, tmp_path):
    old = stand_in(tmp_path / "old", penguins)
    new = stand_in(tmp_path / "new", penguins, on_run="import os; os.write(2, b'illegal'); os._exit(1)")
    with pytest.raises(
        LinregError, match=r"^environments new: .* ended \(asked for the answer of onnxruntime-run\): illegal$"
    ):
        bench(penguins, environments={"old": old, "new": new}, **QUICK)


def test_slow_calls_end_after_three_minutes(penguins, tmp_path, monkeypatch):
    """As any benchmark does: three sets at least, and the report says so."""
    old, new = (stand_in(tmp_path / name, penguins) for name in ("old", "new"))
    monkeypatch.setattr("bench.environments.benchmark.MOST_S", 0.1)
    report = bench(penguins, environments={"old": old, "new": new}, **{**QUICK, "processes": 9})
    assert report.settings.processes_run == 3
    assert report.quality.shortened == "3 sets of processes: another would have ended after 0 s"


@pytest.fixture
def unprepared(monkeypatch):
    """Fail if a model is prepared."""
    monkeypatch.setattr("bench.environments.benchmark.prepare", lambda *args: pytest.fail("the model is prepared"))


@pytest.mark.usefixtures("unprepared")
def test_an_environment_without_numpy(penguins, real, tmp_path):
    bare = make_environment(tmp_path / "bare")
    with pytest.raises(LinregError, match=r"^environments bare: has no numpy, .*; install it there$"):
        bench(penguins, environments={"old": real, "bare": bare}, **QUICK)


@pytest.mark.usefixtures("unprepared")
def test_environments_without_a_common_runtime(penguins, real, tmp_path):
    bare = make_environment(tmp_path / "bare", "numpy")
    with pytest.raises(LinregError, match=r"^environments bare: has no runtime that old has too"):
        bench(penguins, environments={"old": real, "bare": bare}, **QUICK)


def test_torch_rows_where_torch_is(penguins, real, tmp_path):
    torch = with_torch(make_environment(tmp_path / "torch", "numpy"))
    report = bench(penguins, environments={"a": torch, "b": torch, "real": real}, **QUICK)
    assert answers(report, "b", "torchscript").bit_identical
    assert report.environments.missing == {"real: torchscript": "real has no torch"}
    assert {change.row for change in report.environments.changes if change.environment == "real"} == {
        "onnxruntime-run",
        "onnxruntime-io_binding",
    }


def test_another_version_of_ones_own_module(tmp_path):
    """Each environment imports the version that is installed there, and gets the same parameters."""
    code = "import torch\nclass Net(torch.nn.Linear):\n    def forward(self, x): return super().forward(x) + {}\n"
    places = {}
    for name, offset in {"old": 0.0, "same": 0.0, "new": 1.0}.items():
        places[name] = with_torch(make_environment(tmp_path / name, "numpy"))
        package = tmp_path / name / SITE / "envnet"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "nets.py").write_text(code.format(offset))
    here = tmp_path / "here" / "envnet"
    shutil.copytree(tmp_path / "old" / SITE / "envnet", here)
    with importable(here.parent):
        report = bench(
            "envnet.nets:Net",
            inputs=["x=float32[batch,3]"],
            args={"in_features": 3, "out_features": 2},
            environments=places,
            processes=2,
            rounds=10,
            batches=1,
        )
    assert answers(report, "same", "eager").bit_identical
    assert "new: eager: batch 1: 'output' at row 0" in answers(report, "new", "eager").problem


@contextmanager
def importable(folder):
    """Let this process import from a folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "envnet"]:
            del sys.modules[name]


def test_settings_that_do_not_apply(penguins, real):
    for more in ({"compile": True}, {"threads": "1,2"}, {"device": "cpu"}, {"variants": ["a.py:b"]}):
        with pytest.raises(LinregError, match=r"^environments: the same rows are timed in each"):
            bench(penguins, environments={"old": real, "new": real}, **QUICK, **more)
    with pytest.raises(LinregError, match=r"^environments: got 1 environment, expected 2 to 8"):
        bench(penguins, environments={"old": real}, **QUICK)
