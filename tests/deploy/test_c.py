"""deploy/c: the answers of Python's onnxruntime from a C program, on gcc and clang, with and without sanitizers."""

import os
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

from export.bundle.vectors import check_vectors
from linreg.errors import LinregError
from tests.deploy.bundles import (
    FILE_FAULTS,
    MODULES,
    REFERENCE,
    WEIGHT_FAULTS,
    answer_with,
    bench_line,
    checksums_agree,
    copy_of,
    onnx_runner,
    plant_in_onnx,
    run,
    verify,
    write_tensor,
)


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_committed_bundles_pass(program, name):
    code, lines = verify(program, REFERENCE / name)
    assert code == 0
    assert lines[-1] == "5 passed, 0 failed"
    assert lines[-2].startswith("c: 5 cases, ")


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_answers_have_the_bytes_of_pythons_onnxruntime(program, name, tmp_path):
    """On this machine: the committed answers are those of another, where the last bit may differ."""
    bundle = copy_of(REFERENCE / name, tmp_path)
    answer_with(onnx_runner(bundle), bundle)
    assert verify(program, bundle) == (0, ["c: 5 cases, bit-equal", "5 passed, 0 failed"])


@pytest.mark.parametrize("name", MODULES)
def test_fresh_modules_have_the_bytes_of_pythons_onnxruntime(programs, module_bundles, name):
    for program in programs.values():
        code, lines = verify(program, module_bundles[name])
        cases = len(list(module_bundles[name].glob("test_data_set_*")))
        assert (code, lines) == (0, [f"c: {cases} cases, bit-equal", f"{cases} passed, 0 failed"])


@pytest.mark.parametrize("fault", ["swapped features", "dropped bias"])
def test_wrong_weights_fail(program, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    plant_in_onnx(fault, bundle / "model.onnx")
    code, lines = verify(program, bundle)
    assert code == 1
    failing = next(line for line in lines if line.startswith("failed: test_data_set_2: output 0, row "))
    assert all(f" {word} " in failing for word in ("got", "expected", "allowed")), failing
    assert lines[-1] != "0 passed, 5 failed", "batch 0 must pass"


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_every_change_of_a_weight_shows_in_sha256sums_and_in_the_bytes(programs, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    answer_with(onnx_runner(bundle), bundle)
    assert checksums_agree(REFERENCE / "penguins")
    plant_in_onnx(fault, bundle / "model.onnx")
    assert not checksums_agree(bundle)
    _, lines = verify(programs["gcc"], bundle)
    assert "bit-equal" not in lines[-2]


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_damaged_bundles_fail(program, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    FILE_FAULTS[fault](bundle)
    code, lines = verify(program, bundle)
    assert code == 1
    assert "bit-equal" not in lines[-2]
    assert lines[-1] == ("0 passed, 0 failed" if fault == "no vectors" else "4 passed, 1 failed")


@pytest.mark.parametrize("damage", ["missing", "truncated", "a folder"])
def test_models_that_cannot_be_loaded_fail_in_one_line(program, tmp_path, damage):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    model = bundle / "model.onnx"
    data = model.read_bytes()
    model.unlink()
    if damage == "truncated":
        model.write_bytes(data[: len(data) // 2])
    elif damage == "a folder":
        model.mkdir()
    for words in (["verify", bundle], ["predict", model], ["bench", bundle, "1"]):
        ended = run(program, *words)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1


def test_a_library_that_is_none_fails_in_one_line(program, tmp_path):
    for library in (tmp_path / "missing.so", "libm.so.6"):
        ended = run(program, "verify", REFERENCE / "line", env={**os.environ, "ORT_LIB": str(library)})
        assert ended.returncode == 1
        assert ended.stderr.startswith(b"error: ") and b"ORT_LIB" in ended.stderr and ended.stderr.count(b"\n") == 1


def test_wrong_usage_is_exit_2(programs):
    for words in ([], ["verify"], ["bench", "x", "one"], ["bench", "x", "-1"], ["predict", "x", "y"]):
        ended = subprocess.run([programs["gcc"], *words], capture_output=True)
        assert ended.returncode == 2 and ended.stderr.startswith(b"usage: ")


ANSWERS = {
    "just allowed": (1.0, 1.5, 0.5),
    "just beyond": (1.0, 1.5, np.nextafter(0.5, 0)),
    "no error, nothing allowed": (1.0, 1.0, 0.0),
    "a subnormal error, nothing allowed": (0.0, 2.0**-149, 0.0),
    "-0 for 0": (-0.0, 0.0, 0.0),
    "NaN for NaN": (np.nan, np.nan, 0.0),
    "NaN for inf": (np.nan, np.inf, 1e300),
    "-inf for inf": (-np.inf, np.inf, 1e300),
    "a number for inf": (3e38, np.inf, 1e300),
    "inf for a number": (np.inf, 3e38, 1e300),
    "any class: NaN": (np.nan, 1.0, np.inf),
    "any class: inf": (-np.inf, 1.0, np.inf),
}
"""What a model answers, what the vectors say, and what is allowed."""


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_rule_is_that_of_python(program, tmp_path, answer):
    got, wanted, allowed = ANSWERS[answer]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    entries = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 2]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "identity", entries[:1], entries[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    place = tmp_path / "test_data_set_0"
    place.mkdir()
    write_tensor(place / "input_0.pb", np.array([[0, got]], np.float32))
    write_tensor(place / "output_0.pb", np.array([[0, wanted]], np.float32))
    write_tensor(place / "allowed_0.pb", np.array([[0, allowed]], np.float64))
    try:
        worst = check_vectors(onnx_runner(tmp_path), tmp_path).worst_error
    except LinregError:
        worst = None
    code, lines = verify(program, tmp_path)
    assert code == (1 if worst is None else 0), lines
    if worst is not None and "bit-equal" not in lines[0]:
        assert lines[0] == f"c: 1 cases, worst error {worst:.3g} of what is allowed"


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_json_line(program, batch):
    found = bench_line(program, batch, 12)
    assert (found["runtime"], found["version"]) == ("c", onnxruntime.__version__)


def test_bench_of_a_batch_without_vectors_is_an_error(program):
    ended = run(program, "bench", REFERENCE / "penguins", 3)
    assert ended.returncode == 1 and b"has no vectors of batch 3" in ended.stderr
