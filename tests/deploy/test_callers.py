"""liblinreg.so from other languages: the answers of Python's onnxruntime, and every fault of a bundle shows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from bench.programs.finding import BUILT
from tests.deploy.bundles import (
    FILE_FAULTS,
    MODULES,
    REFERENCE,
    ROOT,
    answer_with,
    bench_line,
    copy_of,
    onnx_runner,
    plant_in_onnx,
    run,
    verify,
)
from tests.deploy.c_builds import build
from tests.deploy.callers import CALLERS, build_caller

ROW = ("39.1", "18.7", "181")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """The folder of liblinreg.so."""
    return build("gcc", tmp_path_factory.mktemp("library")).parent


@pytest.fixture(scope="module", params=CALLERS)
def caller(request, library, tmp_path_factory) -> Path:
    """One program after another; its name ends with its language."""
    return build_caller(request.param, library, tmp_path_factory.mktemp(request.param))


def language(caller: Path) -> str:
    return caller.name.removeprefix("linreg-")


def test_each_is_built_by_make_and_timed_by_bench():
    made = re.search(r"^CALLERS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(made[1].split()) == set(CALLERS) == set(BUILT) - {"c", "libtorch"}
    packages = (ROOT / "deploy" / "missing").read_text()
    assert all(f"{command}:{names.split()[0]}" in packages for command, names in CALLERS.values())


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_committed_bundles_pass(caller, name):
    code, lines = verify(caller, REFERENCE / name)
    assert code == 0
    assert lines[-1] == "5 passed, 0 failed"
    assert lines[-2].startswith(f"{language(caller)}: 5 cases, ")


@pytest.mark.parametrize("name", MODULES)
def test_fresh_modules_have_the_bytes_of_pythons_onnxruntime(caller, module_bundles, name):
    code, lines = verify(caller, module_bundles[name])
    cases = len(list(module_bundles[name].glob("test_data_set_*")))
    assert (code, lines) == (0, [f"{language(caller)}: {cases} cases, bit-equal", f"{cases} passed, 0 failed"])


@pytest.mark.parametrize("fault", ["swapped features", "dropped bias"])
def test_wrong_weights_fail(caller, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    plant_in_onnx(fault, bundle / "model.onnx")
    code, lines = verify(caller, bundle)
    assert code == 1
    assert any(line.startswith("failed: test_data_set_2: output 0, row ") for line in lines)
    assert lines[-1] != "0 passed, 5 failed", "batch 0 must pass"


def test_one_bit_of_a_weight_changes_the_bytes(caller, tmp_path):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    answer_with(onnx_runner(bundle), bundle)
    assert "bit-equal" in verify(caller, bundle)[1][-2]
    plant_in_onnx("one bit of a weight", bundle / "model.onnx")
    assert "bit-equal" not in verify(caller, bundle)[1][-2]


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_damaged_bundles_fail(caller, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    FILE_FAULTS[fault](bundle)
    code, lines = verify(caller, bundle)
    assert code == 1
    assert lines[-1] == ("0 passed, 0 failed" if fault == "no vectors" else "4 passed, 1 failed")


def test_vectors_of_another_model_fail_with_what_the_library_says(caller, module_bundles, tmp_path):
    """One output fewer than the model has, and one input fewer; both are refused by a call, not by a crash."""
    bundle = copy_of(module_bundles["mixed"], tmp_path)
    for kind in ("output", "allowed"):
        (bundle / "test_data_set_0" / f"{kind}_2.pb").unlink()
    (bundle / "test_data_set_1" / "input_1.pb").unlink()
    code, lines = verify(caller, bundle)
    assert code == 1
    assert lines[0] == "failed: test_data_set_0: has 2 outputs, the model 3"
    assert lines[1] == "failed: test_data_set_1: has 1 inputs, the model 2"


@pytest.mark.parametrize("damage", ["missing", "truncated", "a folder", "a link"])
def test_models_that_cannot_be_loaded_fail_in_one_line(caller, tmp_path, damage):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    model = bundle / "model.onnx"
    if damage == "truncated":
        model.write_bytes(model.read_bytes()[:200])
    else:
        model.rename(tmp_path / "model.onnx")
    if damage == "a folder":
        model.mkdir()
    elif damage == "a link":
        model.symlink_to(tmp_path / "model.onnx")
    for words in (["verify", bundle], ["bench", bundle, "1"]):
        ended = run(caller, *words)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1


def test_a_library_that_is_none_fails_in_one_line(caller, tmp_path):
    ended = run(caller, "verify", REFERENCE / "line", env={**os.environ, "ORT_LIB": str(tmp_path / "missing.so")})
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"error: ") and b"ORT_LIB" in ended.stderr and ended.stderr.count(b"\n") == 1


def test_a_path_may_have_any_characters(caller, tmp_path):
    bundle = Path(shutil.copytree(REFERENCE / "line", tmp_path / "größe $(x) 'y'\n\"z\""))
    assert verify(caller, bundle)[0] == 0


def test_a_row_has_the_prediction_of_python(caller):
    model = REFERENCE / "penguins" / "model.onnx"
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"input": np.array([ROW], np.float32)})[0]
    ended = run(caller, "row", model, *ROW)
    assert ended.returncode == 0
    assert np.array_equal(np.array(ended.stdout.split(), np.float32), wanted.ravel())


@pytest.mark.parametrize("words", [ROW[:2], (*ROW, "1")])
def test_a_row_of_another_length_is_an_error(caller, words):
    ended = run(caller, "row", REFERENCE / "penguins" / "model.onnx", *words)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.startswith(b"error: onnxruntime: ") and ended.stderr.count(b"\n") == 1


def test_a_row_of_float32_for_another_type_is_an_error(caller, module_bundles):
    ended = run(caller, "row", module_bundles["float64"] / "model.onnx", "1", "2", "3", "4", "5")
    assert ended.returncode == 1 and ended.stderr.startswith(b"error: onnxruntime: ")


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_json_line(caller, batch):
    found = bench_line(caller, batch, 12)
    assert (found["runtime"], found["version"]) == (language(caller), onnxruntime.__version__)


def test_bench_of_a_batch_without_vectors_is_an_error(caller):
    ended = run(caller, "bench", REFERENCE / "penguins", 3)
    assert ended.returncode == 1 and b"has no vectors of batch 3" in ended.stderr


WRONG = ("", "verify", "verify x y", "bench x", "bench x one", "bench x -1", "bench x +1", "bench x 1 1000001")
WRONG += ("row x", "row x 1 one", "other x")


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_exit_2(caller, words):
    ended = subprocess.run([caller, *words.split()], capture_output=True)
    assert ended.returncode == 2 and ended.stderr.startswith(b"usage: ")
