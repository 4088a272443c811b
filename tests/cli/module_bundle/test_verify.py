"""`verify` of a module's bundle, without and with the module."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import linreg as door
from linreg.errors import LinregError, MismatchError, ModelError
from tests.cli.module_bundle.user_net import BUDGET, MODULE, without
from tests.conftest import PENGUINS, forge


def test_verify_compares_with_the_oracle_of_the_module(linreg, net):
    rows = json.loads(linreg("verify", "net", *MODULE, *BUDGET, "--json").out)["checked"]
    assert [(row["file"], row["against"]) for row in rows] == [
        (name, against)
        for against in ("test vectors", "float64 oracle")
        for name in ("model.onnx", "model.torchscript")
    ]
    assert all(row["worst_error"] <= 1 for row in rows)
    assert all(row["cases"] >= 3 for row in rows[2:])
    assert {row["against"] for row in json.loads(linreg("verify", "net", "--json").out)["checked"]} == {"test vectors"}


def test_verify_with_the_module_finds_a_fault_without_vectors(linreg, net):
    model = onnx.load(net / "model.onnx")
    tensor = next(entry for entry in model.graph.initializer if entry.name == "table.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[3, 1] *= np.float32(1.001)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    forge(net, model_onnx=model.SerializeToString())
    without(net, "test_data_set_", "data.json")
    assert "add --module" in linreg("verify", "net").failure()
    assert "model.onnx" in linreg("verify", "net", *MODULE, *BUDGET).failure(3)
    assert linreg("verify", "net/model.torchscript", *MODULE, *BUDGET).code == 0


def test_verify_with_other_code_names_the_keys(linreg, net):
    message = linreg("verify", "net", "--module", "nets.py:wrong_net").failure()
    assert "net/model.pth: keys differ: missing ['0.bias', '0.weight']" in message
    assert "which was nets.py:make_net" in message
    assert "table.weight" in linreg("verify", "net", "--module", "nets.py:wide_net").failure()


def test_verify_checks_the_bytes_before_the_code_runs(linreg, net):
    (net / "model.pth").write_bytes(b"cut")
    ended = linreg("verify", "net", *MODULE)
    assert "net/model.pth: has sha256" in ended.failure(3)
    assert "running" not in ended.err


def test_options_of_verify_that_do_not_apply(linreg, bundle, net):
    assert "--budget has no effect without --module" in linreg("verify", "net", *BUDGET).failure(2)
    assert "--data has the rows of a table" in linreg("verify", "net", *MODULE, "--data", PENGUINS).failure(2)
    assert "it holds a linear model" in linreg("verify", bundle, *MODULE).failure()
    without(net, "card.json")
    assert linreg("verify", "net").code == 0
    assert "was exported by an older linreg" in linreg("verify", "net", *MODULE).failure()


def test_verify_in_python_takes_the_module_itself(net, module):
    result = door.verify(net, module=module, budget="0.5s")
    assert [row.against for row in result.rows] == ["test vectors"] * 2 + ["float64 oracle"] * 2
    with pytest.raises(ModelError, match=r"keys differ: missing \['0\.bias', '0\.weight'\]"):
        door.verify(net, module=torch.nn.Sequential(torch.nn.Linear(3, 2)))
    with pytest.raises(LinregError, match="budget: has no effect without the module"):
        door.verify(net, budget="1s")
    with torch.no_grad():
        module.head.bias += 1
    with pytest.raises(MismatchError, match="holds other values than the module"):
        door.verify(net, module=module)
