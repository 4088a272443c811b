"""The Python API: two callables or two artifacts in, ratios with intervals out, or one line that says why not."""

import doctest
import math
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bench.compare
from bench.analysis.statistics import Verdict
from bench.compare import compare, compare_artifacts
from bench.worker.rounds import Blocks
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError, ModelError

QUICK = BenchSettings(processes=2, rounds=10)

# ---- two callables ---------------------------------------------------------------------------------------------------

NUMBERS = list(range(200))


def once() -> object:
    return sum(NUMBERS)


def three_times() -> object:
    sum(NUMBERS)
    sum(NUMBERS)
    return sum(NUMBERS)


def test_three_times_the_work_is_slower():
    result = compare(once, three_times, rounds=50)
    assert result.verdict is Verdict.SLOWER
    assert 2 < result.ratio.low <= result.ratio.estimate <= result.ratio.high < 4
    assert result.variant_s > 2 * result.reference_s > 0
    assert result.null.low <= result.null.estimate <= result.null.high
    assert 0.8 < result.null.estimate < 1.25
    assert result.scope == "this process only"


def test_a_third_of_the_work_is_faster():
    result = compare(three_times, once, rounds=50)
    assert result.verdict is Verdict.FASTER
    assert result.ratio.high < 0.5


@pytest.mark.parametrize("rounds", [0, 5])
def test_too_few_rounds_for_an_interval_are_refused(rounds):
    with pytest.raises(LinregError, match=f"^rounds: got {rounds}, expected at least 6"):
        compare(once, three_times, rounds=rounds)
    assert math.isfinite(compare(once, three_times, rounds=6).ratio.high)


def test_who_is_the_reference_is_not_confused(monkeypatch):
    """With the rounds of a known machine every figure is exact."""
    seen = {}

    def rounds_of(calls, *, rounds, seed):
        seen.update(names=[*calls], rounds=rounds, seed=seed)
        noise = np.exp(np.random.default_rng(1).normal(0, 0.01, rounds))
        times = {"reference": 1e-4 * noise, "null": 1.001e-4 * noise, "variant": 1.5e-4 * noise}
        assert calls["reference"].run is calls["null"].run is once
        assert calls["variant"].run is three_times
        return {name: Blocks(calls=100, block_s=times[name], host_s=times[name]) for name in calls}

    monkeypatch.setattr(bench.compare, "measure_rounds", rounds_of)
    result = compare(once, three_times, rounds=20, seed=7)
    assert seen == {"names": ["reference", "null", "variant"], "rounds": 20, "seed": 7}
    assert result.ratio.estimate == pytest.approx(1.5)
    assert result.null.estimate == pytest.approx(1.001)
    assert (result.reference_s, result.variant_s) == pytest.approx((1e-6, 1.5e-6), rel=0.01)
    assert (result.ratio.low, result.ratio.high) == pytest.approx((1.5, 1.5))
    assert result.verdict is Verdict.SLOWER


def test_an_exception_of_a_callable_is_its_own():
    def broken():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        compare(once, broken, rounds=6)


def test_the_example_of_the_documentation():
    found = doctest.testmod(bench.compare)
    assert (found.attempted, found.failed) == (3, 0)


# ---- two artifacts ---------------------------------------------------------------------------------------------------


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
    result = compare_artifacts(penguins / "model.onnx", other / "model.onnx", batch=5, settings=QUICK)
    assert result.ratio.low <= result.ratio.estimate <= result.ratio.high
    assert result.null.low <= result.null.estimate <= result.null.high
    assert result.reference_s > 0
    assert result.variant_s > 0
    assert result.scope == "2 processes"
    assert result.verdict in set(Verdict)


def test_in_this_process_only_that_is_said(penguins, other):
    settings = BenchSettings(processes=1, rounds=10)
    result = compare_artifacts(penguins / "model.torchscript", other / "model.torchscript", settings=settings)
    assert result.scope == "this process only"
    assert result.ratio.low <= result.ratio.estimate <= result.ratio.high


def test_a_wrong_weight_of_the_variant_is_found(penguins, other):
    change_weights(other / "model.onnx")
    settings = BenchSettings(processes=1, rounds=10)
    with pytest.raises(MismatchError) as caught:
        compare_artifacts(penguins / "model.onnx", other / "model.onnx", settings=settings)
    assert str(caught.value).startswith(("this: ", "model.onnx: "))


def test_a_wrong_weight_of_the_reference_is_found_in_a_fresh_process(penguins, other):
    change_weights(other / "model.onnx")
    with pytest.raises(MismatchError) as caught:
        compare_artifacts(other / "model.onnx", penguins / "model.onnx", settings=QUICK)
    assert "against" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.torchscript", "model.traced.torchscript", "model.pt2"])
@pytest.mark.parametrize("foreign", ["reference", "variant"])
def test_a_program_of_somebody_else_is_refused_without_trust(penguins, other, tmp_path, monkeypatch, name, foreign):
    data = (penguins / name).read_bytes() + b"\0"  # another file: nobody here exported it
    (other / name).write_bytes(data)
    (other / "manifest.json").unlink()
    paths = [other / name, penguins / name] if foreign == "reference" else [penguins / name, other / name]
    with pytest.raises(ModelError) as caught:
        compare_artifacts(*paths, settings=QUICK)
    assert str(caught.value).startswith(f"{other / name}: is a program that this user did not export")
    assert "trust=True" in str(caught.value)


def test_what_another_user_exported_is_timed_with_trust(penguins, other, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    paths = (penguins / "model.torchscript", other / "model.torchscript")
    settings = BenchSettings(processes=1, rounds=10)
    with pytest.raises(ModelError, match="did not export"):
        compare_artifacts(*paths, settings=settings)
    assert compare_artifacts(*paths, settings=settings, trust=True).ratio.estimate > 0
    assert not (tmp_path / "somebody" / "linreg" / "written").exists()  # once trusted is not trusted for ever


def test_onnx_is_no_program_and_needs_no_trust(penguins, other, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    settings = BenchSettings(processes=1, rounds=10)
    assert compare_artifacts(penguins / "model.onnx", other / "model.onnx", settings=settings).ratio.estimate > 0


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("model.onnx", "model.torchscript"),
        ("model.pt2", "model.onnx"),
        ("model.torchscript", "model.traced.torchscript"),
    ],
)
def test_two_formats_are_refused(penguins, one, two):
    with pytest.raises(LinregError, match="expected two artifacts of the same format"):
        compare_artifacts(penguins / one, penguins / two, settings=QUICK)


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
        compare_artifacts(penguins / name, penguins / "model.onnx", settings=QUICK)


def test_an_artifact_without_its_model_is_refused(penguins, tmp_path):
    shutil.copy(penguins / "model.onnx", tmp_path)
    for paths in ((tmp_path, penguins), (penguins, tmp_path)):
        with pytest.raises(LinregError, match=r"there is no model\.pth beside it") as caught:
            compare_artifacts(*(path / "model.onnx" for path in paths), settings=QUICK)
        assert str(caught.value).startswith(f"{tmp_path / 'model.onnx'}: ")


def test_a_missing_artifact_is_one_line(penguins, tmp_path):
    with pytest.raises(LinregError, match="no such file"):
        compare_artifacts(penguins / "model.onnx", tmp_path / "model.onnx", settings=QUICK)


@pytest.mark.parametrize("name", ["model.c", "model.float16.onnx", "card.json"])
def test_the_command_refuses_the_same(linreg, bundle, name):
    (bundle / name).touch()
    ended = linreg("bench", "-m", bundle, "--against", bundle / name, "--processes", 1, "--rounds", 10)
    assert "expected an artifact in its bundle, such as other/model.onnx" in ended.failure()
