"""`inspect` of a module's bundle, the commands that need a linear model, and exports into it."""

import json

import pytest

import linreg as door
from linreg.errors import ModelError
from tests.cli.module_bundle.user_net import BUDGET, INPUTS, MODULE, card
from tests.conftest import PENGUINS, contents


def test_inspect_shows_card_and_proofs(linreg, net):
    shown = linreg("inspect", "net").out
    for text in ("nets.py:make_net", "int64", "0 to 49", "(batch, 5)", "1 or more", "score", "model.torchscript"):
        assert text in shown
    assert "3 of 3" in shown
    assert "model.onnx: not tried: " in shown
    found = json.loads(linreg("inspect", "net", "--json").out)
    assert {key: found[key] for key in card(net)} == card(net)
    assert [entry["name"] for entry in found["files"]] == ["model.onnx", "model.torchscript"]
    assert found["files"][0]["not_tried"]


def test_inspect_of_a_linear_bundle_names_its_files(linreg, bundle):
    assert "is a folder, expected a file" in linreg("inspect", bundle).failure()


def test_commands_that_need_a_linear_model_say_so(linreg, net):
    before = contents(net)
    for words in (["evaluate", "-m"], ["plot", PENGUINS, "-m"], ["export", "-m"]):
        assert "net: holds a module that was exported with --module" in linreg(*words, "net").failure()
    with pytest.raises(
        ModelError, match="is the state_dict of a module of your own; create that module by its own code"
    ):
        door.load(net)
    assert contents(net) == before


def test_artifacts_with_other_inputs_do_not_share_a_bundle(linreg, net):
    other = ["--input", "ids=int64[batch,6]<50", "--input", "x=float32[batch,3]"]
    words = ["export", *MODULE, "--state-dict", "net/model.pth", *BUDGET, "-f", "torchscript", "-o", "net"]
    before = contents(net)
    assert "net: holds model.onnx with other inputs or outputs" in linreg(*words, *other).failure()
    assert contents(net) == before
    assert linreg(*words, *INPUTS).code == 0, "the same inputs"
    assert (net / "model.onnx").exists()
    assert linreg(*words, *other, "--force").code == 0
    assert not (net / "model.onnx").exists()
    assert card(net)["inputs"][0]["shape"] == ["batch", 6]
    assert linreg("verify", "net").code == 0
