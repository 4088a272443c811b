"""Wrappers, checkpoints, and models of ours under other names are loaded bit for bit, or refused by name."""

import pytest
import torch
from torch import nn

from linreg.checkpoint import load
from linreg.errors import ModelError
from linreg.state_reading import read_state
from tests.state_files import Net, fitted, renamed, same, saved

# ---- wrappers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrap", "stripped"),
    [
        (nn.DataParallel, "module."),
        (torch.compile, "_orig_mod."),
        (lambda net: nn.DataParallel(torch.compile(net)), "module._orig_mod."),
        (lambda net: torch.compile(nn.DataParallel(net)), "_orig_mod.module."),
        (lambda net: nn.ModuleDict({"model": net}), "model."),
        (lambda net: nn.ModuleDict({"model": torch.compile(net)}), "model._orig_mod."),
    ],
)
def test_a_prefix_of_wrappers_is_stripped(wrap, stripped):
    wanted = Net()
    nn.init.uniform_(wanted.n.running_var, 1, 2)
    module, notes = fitted(wrap(wanted).state_dict())
    assert same(module, wanted)
    # The versions went with the names: a BatchNorm of the newest one has nothing to migrate.
    assert notes == (f"{stripped!r} is stripped from its names",)


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_a_wrapped_part_is_unwrapped(wrap):
    wanted, whole = Net(), Net()
    whole.a, whole.n = wrap(wanted.a), wrap(wanted.n)
    module, (note,) = fitted(whole.state_dict())
    assert same(module, wanted)
    assert "is stripped from its names" in note


def test_a_module_with_such_a_part_of_its_own_keeps_it():
    for name in ("module", "model", "_orig_mod"):
        wanted, module = nn.ModuleDict({name: Net()}), nn.ModuleDict({name: Net()})
        assert fitted(wanted.state_dict(), module)[1] == ()
        assert same(module, wanted)
    wanted, module = nn.ModuleDict({"module": Net()}), nn.ModuleDict({"module": Net()})
    assert fitted(nn.DataParallel(wanted).state_dict(), module)[1] == ("'module.' is stripped from its names",)
    assert same(module, wanted)


def test_a_prefix_that_only_some_names_have_is_no_wrapper():
    state = dict(Net().state_dict())
    state["module.a.weight"] = state.pop("a.weight")
    state["module.a.bias"] = torch.ones(4)
    state["other.module.a.bias"] = torch.ones(4)
    with pytest.raises(ModelError, match=r"keys differ: missing .*'a.weight'"):
        fitted(state)


def test_what_does_not_fit_without_its_prefix_is_named():
    state = renamed(Net().state_dict(), lambda key: f"module.{key}")
    state["module.more"] = torch.ones(1)
    with pytest.raises(ModelError, match=r"^keys differ: missing \[\], unexpected \['more'\]$"):
        fitted(state)


# ---- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_the_one_state_dict_in_a_checkpoint_is_taken(key):
    wanted = Net()
    optimizer = torch.optim.Adam(wanted.parameters())
    wanted(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "loss": torch.tensor(0.5), "optimizer": optimizer.state_dict(), key: wanted.state_dict()}
    module, (note,) = fitted(checkpoint)
    assert same(module, wanted)
    assert note == f"its weights are under {key!r} ('epoch', 'loss', 'optimizer' left out)"
    assert fitted({key: wanted.state_dict()})[1] == (f"its weights are under {key!r}",)


def test_a_checkpoint_of_lightning():
    wanted = Net()
    state = renamed(wanted.state_dict(), lambda key: f"model.{key}")
    module, notes = fitted({"state_dict": state, "pytorch-lightning_version": "2.5", "optimizer_states": []})
    assert same(module, wanted)
    assert len(notes) == 2


def test_of_several_state_dicts_none_is_guessed():
    states = {"model": Net().state_dict(), "ema": Net().state_dict()}
    with pytest.raises(
        ModelError, match=r"several dictionaries of tensors, 'model', 'ema'; save the one .*\['model'\]"
    ):
        fitted(states)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"a": 1}}, "'model' is dict, expected a tensor by name"),
        ({"model": {}}, "'model' is dict, expected a tensor by name"),
        ({"weight": torch.ones(1), "_extra_state": {"a": torch.ones(1)}}, "'_extra_state' is dict, expected a tensor"),
        ({"a": {"b": {"c": torch.ones(1)}}}, "'a' is dict, expected a tensor by name"),
        ({"model": [torch.ones(1)]}, "'model' is list, expected a tensor by name"),
    ],
)
def test_a_checkpoint_without_a_state_dict_is_refused(content, message):
    with pytest.raises(ModelError, match=f"^file: {message}"):
        read_state("file", saved(content))


def test_a_checkpoint_with_more_than_tensors_names_it():
    import argparse

    with pytest.raises(ModelError, match=r"is not a plain state_dict \(it holds 'argparse.Namespace'\); save model"):
        read_state("file", saved({"state_dict": Net().state_dict(), "args": argparse.Namespace(lr=1)}))


# ---- one nn.Linear, and models of ours, under other names ------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "0.", "linear.", "net.head.", "module.linear_layer.", "_orig_mod.0."])
@pytest.mark.parametrize("bias", [True, False])
def test_one_linear_under_any_name(tmp_path, name, bias):
    layer = nn.Linear(3, 1, bias=bias)
    torch.save({f"{name}{key}": value for key, value in layer.state_dict().items()}, tmp_path / "net.pth")
    read = load(tmp_path / "net.pth")
    assert torch.equal(read.model(torch.ones(2, 3)), layer(torch.ones(2, 3)))
    assert len(read.notes) == (2 if name == "_orig_mod.0." else 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_line_is_widened(tmp_path, dtype):
    torch.save({"weights": torch.full((1,), 0.7, dtype=dtype), "bias": torch.ones(1, dtype=dtype)}, tmp_path / "n.pth")
    read = load(tmp_path / "n.pth")
    assert read.model.weights.item() == torch.tensor(0.7, dtype=dtype).item()
    assert read.notes == (f"{str(dtype)[6:]} is widened to float32",)


@pytest.mark.parametrize(
    "state",
    [
        {"weight": torch.ones(2, 3), "bias": torch.ones(2)},
        {"a.weight": torch.ones(1, 3), "b.weight": torch.ones(1, 1)},
        {"a.weight": torch.ones(1, 3), "b.bias": torch.ones(1)},
        {"weight": torch.ones(1, 3), "bias": torch.ones(3)},
        {"weight": torch.ones(1, 3, 3)},
        {"weight": torch.ones(1, 0)},
    ],
)
def test_what_is_no_linear_names_the_way(tmp_path, state):
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"linreg export --module FILE.py:NAME --state-dict FILE --input x=float32"):
        load(tmp_path / "net.pth")


def test_export_and_verify_of_a_bare_linear(linreg, tmp_path):
    layer = nn.Linear(3, 1)
    torch.save({f"module.{key}": value for key, value in layer.state_dict().items()}, tmp_path / "bare.pth")
    assert (
        "name a folder for the bundle: linreg export -m bare.pth -o bare"
        in linreg("export", "-m", "bare.pth").failure()
    )
    ended = linreg("export", "-m", "bare.pth", "-o", "out")
    assert ended.code == 0, ended
    (note,) = [line for line in ended.err.splitlines() if line.startswith("note: bare.pth: ")]
    assert "'module.' is stripped from its names; 'weight' is assumed to be the weight of a single nn.Linear" in note
    assert linreg("verify", "out").code == 0
    assert torch.equal(load(tmp_path / "out").model.linear_layer.weight, layer.weight)
    assert load(tmp_path / "out").notes == ()


def test_a_module_as_it_was_made_is_exported_in_another_dtype(linreg, tmp_path):
    """The bundle holds what was rounded: the state_dict of the module before its precision was changed."""
    (tmp_path / "made.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(3, 2)\n")
    words = ["--module", "made.py:net", "--input", "x=float32[batch,3]", "-o", "out"]
    assert linreg("export", *words, "--dtype", "float64").code == 0
    assert linreg("verify", "out").code == 0
    assert read_state("file", (tmp_path / "out" / "model.pth").read_bytes())["weight"].dtype == torch.float32
