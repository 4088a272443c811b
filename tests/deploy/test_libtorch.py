"""deploy/libtorch: model.torchscript in a C++ program gives the bytes of Python's torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from export.formats.names import Format
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from tests.deploy.bundles import (
    FEATURES,
    FILE_FAULTS,
    MODULES,
    REFERENCE,
    WEIGHT_FAULTS,
    answer_with,
    bench_line,
    checksums_agree,
    copy_of,
    plant_in_torchscript,
    run,
    verify,
)

MODEL = REFERENCE / "penguins" / "model.torchscript"


@pytest.fixture(scope="module")
def program(libtorch_program) -> Path:
    return libtorch_program


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Python's torch with as many threads as the program has: sums may be split otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torch_runner(bundle: Path) -> Runner:
    return load_artifact(Format.TORCHSCRIPT, bundle.name, (bundle / "model.torchscript").read_bytes(), Trust.MADE_HERE)


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_committed_bundles_pass(program, name):
    code, lines = verify(program, REFERENCE / name)
    assert (code, lines[-1]) == (0, "5 passed, 0 failed")
    assert lines[-2].startswith("libtorch: 5 cases, ")


@pytest.mark.parametrize("name", ["line", "penguins", *MODULES])
def test_answers_have_the_bytes_of_pythons_torch(program, module_bundles, name, tmp_path):
    bundle = copy_of(module_bundles.get(name, REFERENCE / name), tmp_path)
    answer_with(torch_runner(bundle), bundle)
    cases = len(list(bundle.glob("test_data_set_*")))
    assert verify(program, bundle) == (0, [f"libtorch: {cases} cases, bit-equal", f"{cases} passed, 0 failed"])


@pytest.mark.parametrize("fault", ["swapped features", "dropped bias"])
def test_wrong_weights_fail(program, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    plant_in_torchscript(fault, bundle / "model.torchscript")
    code, lines = verify(program, bundle)
    assert code == 1
    assert any(line.startswith("failed: test_data_set_2: output 0, row ") for line in lines), lines


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_every_change_of_a_weight_shows_in_sha256sums_and_in_the_bytes(program, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    answer_with(torch_runner(bundle), bundle)
    plant_in_torchscript(fault, bundle / "model.torchscript")
    assert checksums_agree(REFERENCE / "penguins") and not checksums_agree(bundle)
    _, lines = verify(program, bundle)
    assert "bit-equal" not in lines[-2]


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_damaged_bundles_fail(program, tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    FILE_FAULTS[fault](bundle)
    code, lines = verify(program, bundle)
    assert code == 1
    assert lines[-1] == ("0 passed, 0 failed" if fault == "no vectors" else "4 passed, 1 failed")


@pytest.mark.parametrize("data", [None, b"", MODEL.read_bytes()[:2000], (MODEL.parent / "model.onnx").read_bytes()])
def test_models_that_cannot_be_loaded_fail_in_one_line(program, tmp_path, data):
    model = tmp_path / "model.torchscript"
    if data is not None:
        model.write_bytes(data)
    for words in (["verify", tmp_path], ["predict", model], ["bench", tmp_path, "1"]):
        ended = run(program, *words)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1, ended.stderr


def test_inputs_of_another_shape_fail_in_one_line(program, tmp_path):
    """The vectors of three features for the model of one."""
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    (bundle / "model.torchscript").write_bytes((REFERENCE / "line" / "model.torchscript").read_bytes())
    code, lines = verify(program, bundle)
    assert (code, lines[-1]) == (1, "0 passed, 5 failed")
    assert "shapes cannot be multiplied" in lines[0] and len(lines) == 7


def test_predictions_of_shuffled_columns_have_pythons_bytes(program):
    rows = np.random.default_rng(7).uniform(1, 250, (2500, 3)).round(2)
    names = ["flipper_length_mm", "note", "bill_length_mm", "bill_depth_mm"]
    order = [FEATURES.index(name) if name in FEATURES else None for name in names]
    lines = [",".join('"a, b"' if place is None else str(row[place]) for place in order) for row in rows]
    ended = run(program, "predict", MODEL, text="\n".join([",".join(names), *lines]))
    assert (ended.returncode, ended.stderr) == (0, b"")
    predicted = np.array([float(line) for line in ended.stdout.split()]).astype(np.float32)
    expected = torch_runner(REFERENCE / "penguins").bind((rows.astype(np.float32),)).outputs()[0]
    assert predicted.tobytes() == expected.tobytes()


def test_a_bad_row_is_told_in_one_line(program):
    ended = run(program, "predict", MODEL, text=f"{','.join(FEATURES)}\n1,2,3\n1,,3\n")
    assert ended.returncode == 1
    assert ended.stderr == b"error: stdin: row 2, column 2 'bill_depth_mm': got '', expected a finite number\n"


def test_a_model_without_names_takes_columns_in_order(program, module_bundles):
    """Its number of features is not known before torch multiplies: it is that of the first row."""
    model = module_bundles["13 features"] / "model.torchscript"
    rows = np.random.default_rng(8).normal(size=(5, 13)).astype(np.float32)
    text = "\n".join(",".join(f"{value:.9g}" for value in row) for row in rows)
    ended = run(program, "predict", model, text=text)
    predicted = np.array([line.split(b",") for line in ended.stdout.split()]).astype(np.float64).astype(np.float32)
    expected = torch_runner(module_bundles["13 features"]).bind((rows,)).outputs()[0]
    assert predicted.tobytes() == expected.tobytes()
    assert run(program, "predict", model, text="1,2\n").returncode == 1


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_json_line(program, batch):
    found = bench_line(program, batch, 12)
    assert (found["runtime"], found["version"]) == ("libtorch", torch.__version__.split("+")[0])
