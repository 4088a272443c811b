"""`bench(model, against=...)`: two artifacts of one format, and what is refused."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bench.analysis.parts import Row, Status
from bench.analysis.statistics import Verdict
from bench.benchmark import bench
from linreg.errors import LinregError, MismatchError, ModelError

QUICK = {"batches": "5", "processes": 1, "rounds": 10}


def rows(*paths, **settings) -> list[Row]:
    """The reference, the null row, this model's artifact and the floor."""
    bundle, against = paths
    return list(bench(bundle, against=against, **{**QUICK, **settings}).comparisons[0].rows)


@pytest.fixture
def other(penguins, tmp_path):
    """A bundle beside the session's, that a test may change."""
    return shutil.copytree(penguins, tmp_path / "other")


def change_weights(path) -> None:
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.01), tensor.name))
    onnx.save(model, path)
    (path.parent / "manifest.json").unlink()  # which would tell it


def test_two_artifacts_in_fresh_processes(penguins, other):
    report = bench(other, against=penguins / "model.onnx", **{**QUICK, "processes": 2})
    reference, null, this, _ = report.comparisons[0].rows
    assert this.ratio.low <= this.ratio.estimate <= this.ratio.high
    assert null.ratio.low <= null.ratio.estimate <= null.ratio.high
    assert reference.median_s > 0
    assert this.median_s > 0
    assert report.scope == "2 processes"
    assert this.verdict in set(Verdict)


def test_a_wrong_weight_of_this_model_is_found(penguins, other):
    change_weights(other / "model.onnx")
    this = rows(other, penguins / "model.onnx")[2]
    assert (this.name, this.status) == ("this", Status.WRONG)
    assert this.reason.startswith("model.onnx: ")


def test_a_wrong_weight_of_the_reference_is_found_in_a_fresh_process(penguins, other):
    change_weights(other / "model.onnx")
    with pytest.raises(MismatchError) as caught:
        rows(penguins, other / "model.onnx", processes=2)
    assert "against" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.torchscript", "model.traced.torchscript", "model.pt2"])
def test_a_program_of_somebody_else_is_refused_without_trust(penguins, other, name):
    (other / name).write_bytes((penguins / name).read_bytes() + b"\0")  # another file: nobody here exported it
    (other / "manifest.json").unlink()
    with pytest.raises(ModelError) as caught:
        rows(penguins, other / name)
    assert str(caught.value).startswith(f"{other / name}: is a program that this user did not export")
    assert "trust=True" in str(caught.value)


def test_what_another_user_exported_is_timed_with_trust(penguins, other, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    with pytest.raises(ModelError, match="did not export"):
        rows(penguins, other / "model.torchscript")
    assert rows(penguins, other / "model.torchscript", trust=True)[2].ratio.estimate > 0
    assert not (tmp_path / "somebody" / "linreg" / "written").exists()  # once trusted is not trusted for ever


def test_onnx_is_no_program_and_needs_no_trust(penguins, other, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    assert rows(other, penguins / "model.onnx")[2].ratio.estimate > 0


@pytest.mark.parametrize(
    "name",
    [
        "model.pth",
        "card.json",
        "model.c",  # C source is timed as a runtime, with --runtimes
        "model.float16.onnx",  # its answers are not those of the bundle's model
    ],
)
def test_what_is_no_artifact_is_refused(penguins, name):
    with pytest.raises(LinregError, match=rf"{name}: expected an artifact in its bundle, such as"):
        rows(penguins, penguins / name)


def test_an_artifact_without_its_model_is_refused(penguins, tmp_path):
    shutil.copy(penguins / "model.onnx", tmp_path)
    with pytest.raises(LinregError, match=r"there is no model\.pth beside it") as caught:
        rows(penguins, tmp_path / "model.onnx")
    assert str(caught.value).startswith(f"{tmp_path / 'model.onnx'}: ")


def test_a_missing_artifact_is_one_line(penguins, tmp_path):
    with pytest.raises(LinregError, match="no such file"):
        rows(penguins, tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["model.c", "model.float16.onnx", "card.json"])
def test_the_command_refuses_the_same(linreg, bundle, name):
    (bundle / name).touch()
    ended = linreg("bench", "-m", bundle, "--against", bundle / name, "--processes", 1, "--rounds", 10)
    assert "expected an artifact in its bundle, such as other/model.onnx" in ended.failure()
