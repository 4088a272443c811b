"""`predict` runs a module's bundle on files of arrays."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import linreg as door
from linreg.errors import DataError, ModelError
from tests.cli.module_bundle.user_net import BUDGET, arrays, card
from tests.conftest import PENGUINS


@pytest.mark.parametrize("model", ["net", "net/model.onnx", "net/model.torchscript"])
def test_predict_writes_the_outputs_of_the_module(linreg, net, module, model):
    np.savez("batch.npz", **arrays())
    ended = linreg("predict", "batch.npz", "-m", model, "-o", "new/out.npz")
    assert (ended.code, ended.out) == (0, ""), ended.err
    assert "score float32[6, 2], total float32[6]: new/out.npz" in ended.err
    with torch.inference_mode():
        expected = module(**{name: torch.from_numpy(array) for name, array in arrays().items()})
    with np.load("new/out.npz") as found:
        assert found.files == ["score", "total"]
        for name, output in expected.items():
            np.testing.assert_allclose(found[name], output.numpy(), rtol=1e-5, atol=1e-6)
    again = linreg("predict", "batch.npz", "-m", model, "-o", "new/out.npz")
    assert "already up to date" in again.err
    np.savez("batch.npz", **arrays(2))
    words = ["predict", "batch.npz", "-m", model, "-o", "new/out.npz"]
    assert "already exists with other contents" in linreg(*words).failure()
    assert linreg(*words, "--force").code == 0


def wrong(**changes):
    return {name: array for name, array in (arrays() | changes).items() if array is not None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (wrong(x=None), "got arrays named ids, expected ids, x"),
        (wrong(y=np.zeros(2)), "got arrays named ids, x, y, expected ids, x"),
        ({}, "got arrays named nothing, expected ids, x"),
        (wrong(x=arrays()["x"].astype(np.float64)), "x: is float64, expected float32; convert it: x.astype('float32')"),
        (wrong(ids=arrays()["ids"].astype(np.int32)), "ids: is int32, expected int64"),
        (wrong(x=arrays()["x"][:, :2]), "x: has shape (6, 2), expected (batch, 3)"),
        (wrong(x=arrays()["x"][0]), "x: has shape (3,), expected (batch, 3)"),
        (wrong(x=arrays()["x"][:5]), "x: has batch 5, and ids has batch 6; they must be equal"),
        (arrays(0), "ids: has batch 0, expected 1 or more"),
        (wrong(x=np.array([object()])), "is not a readable file of arrays: Object arrays cannot be loaded"),
    ],
    ids=["missing", "surplus", "none", "dtype", "integers", "size", "axes", "unequal", "empty", "pickled"],
)
def test_predict_refuses_arrays_of_another_kind(linreg, net, given, message):
    np.savez("batch.npz", **given)
    assert f"batch.npz: {message}" in linreg("predict", "batch.npz", "-m", "net", "-o", "new/out.npz").failure()
    assert not Path("new").exists()


AXES = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x).tanh(), x[:, ::2]
"""


def test_a_bundle_with_named_axes(linreg, tmp_path):
    (tmp_path / "axes.py").write_text(AXES)
    words = ["--input", "x=float32[batch,seq:2..8*2,4]", *BUDGET, "-o", "net"]
    assert linreg("export", "--module", "axes.py:Net", *words).code == 0
    assert card(tmp_path / "net")["axes"][1] == {"name": "seq", "least": 2, "most": 8, "step": 2}
    assert card(tmp_path / "net")["outputs"][1]["shape"] == ["batch", None, 4]
    assert linreg("verify", "net", "--module", "axes.py:Net", *BUDGET).code == 0
    assert "2 to 8 in steps of 2" in linreg("inspect", "net").out
    expected = {8: 0, 3: 1, 10: 1, 0: 1}
    for size in expected:
        np.save("x.npy", np.ones((3, size, 4), np.float32))
        ended = linreg("predict", "x.npy", "-m", "net", "-o", f"{size}.npz")
        assert ended.code == expected[size]
        assert Path(f"{size}.npz").exists() == (ended.code == 0)
        assert ended.code == 0 or f"has seq {size}, expected 2 to 8 in steps of 2" in ended.err
    with np.load("8.npz") as found:
        assert found["output_1"].shape == (3, 4, 4)


def test_predict_takes_big_endian_and_strided_arrays(linreg, net):
    plain = arrays()
    np.savez("a.npz", **plain)
    np.savez("b.npz", ids=np.asfortranarray(plain["ids"]), x=plain["x"].astype(">f4"))
    for name in "ab":
        assert linreg("predict", f"{name}.npz", "-m", "net", "-o", f"{name}-out.npz").code == 0
    assert Path("a-out.npz").read_bytes() == Path("b-out.npz").read_bytes()


def test_predict_says_which_values_the_proof_did_not_try(linreg, net):
    np.savez("batch.npz", **wrong(ids=arrays()["ids"] - 1))
    ended = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz")
    assert "ids: has values from -1 to 48, and the proof tried 0 to 49" in ended.err
    np.savez("batch.npz", **wrong(ids=arrays()["ids"] + 1000))
    message = linreg("predict", "batch.npz", "-m", "net", "-o", "none.npz").failure()
    assert "net/model.onnx: does not run on these arrays" in message
    assert not Path("none.npz").exists()


def test_predict_with_one_array(linreg, tmp_path):
    door.export(
        torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()),
        tmp_path / "one",
        inputs="x=float32[batch,3]",
        budget="0.5s",
    )
    np.save("rows.npy", arrays()["x"])
    assert linreg("predict", "rows.npy", "-m", "one", "-o", "a.npz").code == 0
    np.savez("rows.npz", x=arrays()["x"])
    assert linreg("predict", "rows.npz", "-m", "one", "-o", "b.npz").code == 0
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_predict_needs_the_right_kind_of_file(linreg, bundle, net):
    np.savez("batch.npz", **arrays())
    np.save("rows.npy", arrays()["x"])
    for model in ("net", "net/model.onnx", "net/model.pth"):
        message = linreg("predict", PENGUINS, "-m", model, "-o", "out.csv").failure()
        assert "which takes arrays: ids=int64[batch,5]<50, x=float32[batch,3]" in message
        assert "linreg predict batch.npz -m net -o out.npz" in message
    for model in ("penguins", "penguins/model.onnx"):
        message = linreg("predict", "batch.npz", "-m", model, "-o", "out.npz").failure()
        assert f"{model} is a linear model, which takes a table: linreg predict TABLE.csv -m {model}" in message
    expected = {
        ("rows.npy", "-m", "net", "-o", "out.npz"): (1, "holds one array without a name, expected ids, x"),
        ("batch.npz", "-m", "net/model.pth", "-o", "out.npz"): (1, "is not an exported file; use -m net"),
        ("batch.npz", "-m", "net"): (2, "add -o OUT.npz"),
        ("batch.npz", "-o", "out.npz"): (2, "name its bundle with -m BUNDLE"),
        ("batch.npz", "-m", "net", "-o", "out.csv"): (2, "expected a name that ends in .npz"),
        ("batch.npz", "-m", "net", "-o", "batch.npz", "--force"): (1, "is the input itself"),
        ("missing.npz", "-m", "net", "-o", "out.npz"): (1, "missing.npz: no such file"),
        (str(PENGUINS), "-m", "penguins", "--trust"): (2, "--trust belongs to arrays"),
    }
    for words, (code, text) in expected.items():
        assert text in linreg("predict", *words).failure(code)
    assert not Path("out.npz").exists()


def test_predict_runs_programs_of_others_only_if_they_are_trusted(linreg, net, monkeypatch, tmp_path):
    np.savez("batch.npz", **arrays())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    words = ["predict", "batch.npz", "-m", "net/model.torchscript", "-o", "out.npz"]
    assert "if you trust it, add --trust" in linreg(*words).failure()
    assert not Path("out.npz").exists()
    assert linreg(*words, "--trust").code == 0
    assert linreg("predict", "batch.npz", "-m", "net", "-o", "onnx.npz").code == 0, "in a child process"


def test_a_file_may_not_be_named_after_a_model_of_arrays(net):
    from export.bundle.prediction import open_array_model

    with pytest.raises(ModelError, match="is not an artifact"):
        open_array_model(net / "data.json", trust=False)
    shutil.copy(net / "model.onnx", net / "model.float64.onnx")
    with pytest.raises(ModelError, match="is not an artifact"):
        open_array_model(net / "model.float64.onnx", trust=False)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    import export.bundle.array_files as array_files

    monkeypatch.setattr(array_files, "MAX_ARRAYS_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(1000))
    with pytest.raises(DataError, match="its arrays take"):
        array_files.read_arrays(tmp_path / "a.npz", ["x"])
