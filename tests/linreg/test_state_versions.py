"""Versions, hooks and tied parameters: a state_dict is loaded as torch loads it, and what does not arrive is named."""

import io
from collections import OrderedDict

import pytest
import torch
from torch import nn

from export.bundle.vectors import TOLERANCE_FILE
from export.formats.archives import rewrite
from linreg.errors import ModelError
from linreg.state_dict import state_bytes, state_sha256
from linreg.state_loading import load_into
from linreg.state_reading import load_state, read_state


def saved(state) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def loaded(module: nn.Module, state) -> tuple[str, ...]:
    return load_into(module, read_state("file", saved(state)))


class Versioned(nn.Module):
    """Files of version 1 hold the weight transposed."""

    _version = 2

    def __init__(self, rows=4, columns=4):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(float(rows * columns)).reshape(rows, columns))

    def _load_from_state_dict(self, state, prefix, metadata, *rest):
        if (metadata.get("version") or 1) < 2:
            state[prefix + "weight"] = state[prefix + "weight"].t()
        super()._load_from_state_dict(state, prefix, metadata, *rest)

    def forward(self, x):
        return torch.relu(x @ self.weight.t())


def tensors(module: nn.Module) -> dict[str, list]:
    return {key: value.tolist() for key, value in module.state_dict().items()}


def wrapped(module: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(inner=module))


# ---- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda module: module, wrapped])
def test_new_weights_are_not_migrated_as_old_ones(wrap):
    wanted, module = wrap(Versioned()), wrap(Versioned())
    nn.init.normal_(next(wanted.parameters()))
    assert loaded(module, wanted.state_dict()) == ()
    assert tensors(module) == tensors(wanted)


@pytest.mark.parametrize("rows", [4, 3])
@pytest.mark.parametrize("wrap", [lambda module: module, wrapped])
def test_old_weights_are_migrated_as_torch_migrates_them(wrap, rows):
    wanted, module, by_torch = (wrap(Versioned(rows)) for _ in range(3))
    nn.init.normal_(next(wanted.parameters()))
    old = {key: value.t() for key, value in wanted.state_dict().items()}
    by_torch.load_state_dict(old)
    (note,) = loaded(module, old)
    assert note.startswith("the module's own loading changes '")
    assert tensors(module) == tensors(by_torch) == tensors(wanted)


def test_what_is_written_is_of_the_modules_version():
    module = Versioned()
    loaded(module, {"weight": torch.ones(4, 4).triu()})
    state = read_state("file", state_bytes(module.state_dict()))
    assert state._metadata == {"": {"version": 2}} == dict(torch.load(io.BytesIO(state_bytes(state)))._metadata)
    again = Versioned()
    assert load_into(again, state) == ()
    assert tensors(again) == tensors(module)
    assert state_bytes(state) == state_bytes(module.state_dict()) == state_bytes(again.state_dict())
    assert state_sha256(state) == state_sha256(module.state_dict())


def test_an_old_batchnorm_is_loaded_as_torch_loads_it():
    wanted, module, by_torch = (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)) for _ in range(3))
    nn.init.uniform_(wanted[1].running_var, 1, 2)
    old = {key: value for key, value in wanted.state_dict().items() if "num_batches" not in key}
    by_torch.load_state_dict(old)
    (note,) = loaded(module, old)
    assert note == "the module's own loading sets '1.num_batches_tracked'"
    assert tensors(module) == tensors(by_torch)


def test_a_new_batchnorm_without_its_count_is_cut():
    state = nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(ModelError, match=r"keys differ: missing \['num_batches_tracked'\], unexpected \[\]"):
        loaded(nn.BatchNorm1d(2), state)


def test_loading_that_turns_its_own_files_is_refused():
    class Turning(Versioned):
        def _load_from_state_dict(self, state, prefix, metadata, *rest):
            state[prefix + "weight"] = state[prefix + "weight"].t()
            nn.Module._load_from_state_dict(self, state, prefix, metadata, *rest)

    with pytest.raises(ModelError, match="own loading code changes the state_dict that the module saved"):
        loaded(Turning(), dict(Versioned().state_dict()))
    with pytest.raises(
        ModelError, match="'weight' is not loaded unchanged: the module's own loading code drops or alters it"
    ):
        loaded(Turning(), Turning().state_dict())


@pytest.mark.parametrize(
    "metadata", [7, {"": 7}, {1: {"version": 1}}, {"": {"version": "new"}}, {"": {"version": [1]}}, [("", {})]]
)
def test_metadata_that_torch_does_not_write_is_refused(metadata):
    state = OrderedDict(weight=torch.ones(4, 4))
    state._metadata = metadata
    with pytest.raises(ModelError, match="file: its _metadata is not what torch writes"):
        loaded(Versioned(), state)


def test_attributes_of_a_hostile_dictionary_are_not_called():
    state = OrderedDict(weight=torch.ones(4, 4))
    state.__dict__.update(itemz=7, keys=7, get=7, values=7)
    data = rewrite(saved(state), lambda name, record: (name, record.replace(b"itemz", b"items")))
    assert torch.load(io.BytesIO(data), weights_only=True).items == 7
    assert list(read_state("file", data)) == ["weight"]
    assert list(read_state("file", saved({"model": state, "epoch": 1}))) == ["weight"]


# ---- hooks -----------------------------------------------------------------------------------------------------------


class Hooked(nn.Module):
    """A layer whose hook does as `change` says with the state_dict before it is loaded."""

    def __init__(self, change):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self._register_load_state_dict_pre_hook(lambda state, prefix, *rest: change(state, prefix))


def rename(state, prefix):
    for name in ("weight", "bias"):
        if f"{prefix}old.{name}" in state:
            state[f"{prefix}layer.{name}"] = state.pop(f"{prefix}old.{name}")


def test_a_hook_that_renames_runs():
    module, wanted = Hooked(rename), nn.Linear(3, 2)
    (note,) = loaded(module, {f"old.{key}": value for key, value in wanted.state_dict().items()})
    assert note == "the module's own loading renames 'old.weight', 'old.bias'"
    assert tensors(module.layer) == tensors(wanted)
    assert loaded(module, module.state_dict()) == ()


def test_an_error_names_what_a_hook_did_not_rename():
    with pytest.raises(ModelError, match=r"^keys differ: missing \['layer.bias'\], unexpected \['other'\]$"):
        loaded(Hooked(rename), {"old.weight": torch.ones(2, 3), "other": torch.ones(1)})


@pytest.mark.parametrize(
    "change",
    [
        lambda state, prefix: state.pop(f"{prefix}more", None),
        lambda state, prefix: state.update({f"{prefix}layer.bias": state.pop(f"{prefix}more")}),
    ],
    ids=["dropped", "put over another"],
)
def test_what_a_hook_drops_is_named(change):
    state = {**Hooked(rename).state_dict(), "more": torch.ones(2)}
    with pytest.raises(ModelError, match=r"'(more|layer.bias)' is not loaded unchanged"):
        loaded(Hooked(change), state)


def test_what_a_hook_rounds_is_named():
    def half(state, prefix):
        state[f"{prefix}layer.bias"] = state[f"{prefix}layer.bias"].half()

    with pytest.raises(ModelError, match=r"'layer.bias' is not loaded unchanged"):
        loaded(Hooked(half), Hooked(rename).state_dict())


def test_loading_that_does_nothing_is_named():
    class Deaf(nn.Linear):
        def _load_from_state_dict(self, *rest):
            pass

    with pytest.raises(ModelError, match="'weight' is not loaded unchanged"):
        loaded(Deaf(3, 2), nn.Linear(3, 2).state_dict())


def test_a_hook_that_raises_is_told_in_one_line():
    def raising(state, prefix):
        raise KeyError("no\nsuch key")

    with pytest.raises(ModelError, match=r"^does not load into the module: '?no.*$"):
        loaded(Hooked(raising), Hooked(rename).state_dict())


def test_parametrized_layers_take_the_names_of_the_old_weight_norm():
    module = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    with pytest.warns(FutureWarning, match="weight_norm"):
        old = nn.utils.weight_norm(nn.Linear(3, 2))
    loaded(module, old.state_dict())
    x = torch.ones(1, 3)
    assert torch.equal(module(x), old(x))


# ---- tied parameters -------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self, layer=lambda: nn.Linear(4, 4, bias=False)):
        super().__init__()
        self.a, self.b = layer(), layer()
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


def test_tied_copies_that_agree_are_loaded():
    module = Tied()
    assert loaded(module, {"a.weight": torch.eye(4), "b.weight": torch.eye(4)}) == ()
    assert module.b.weight is module.a.weight
    assert torch.equal(module.a.weight, torch.eye(4))


def test_tied_copies_that_conflict_are_named():
    message = "^'a.weight' and 'b.weight' are one parameter in the module, but differ in the file"
    with pytest.raises(ModelError, match=message):
        loaded(Tied(), {"a.weight": torch.eye(4), "b.weight": torch.ones(4, 4)})
    with pytest.raises(ModelError, match=message):  # by the sign of zero alone
        loaded(Tied(), {"a.weight": torch.zeros(4, 4), "b.weight": -torch.zeros(4, 4)})


def test_tied_copies_in_layers_that_migrate_are_compared_too():
    state = dict(Tied(lambda: nn.BatchNorm1d(4)).state_dict())
    state["b.weight"] = state["b.weight"] + 1
    with pytest.raises(ModelError, match=r"'a.weight' and 'b.weight' are one parameter"):
        loaded(Tied(lambda: nn.BatchNorm1d(4)), state)


# ---- the command -----------------------------------------------------------------------------------------------------


def test_export_and_verify_of_a_module_with_versions(linreg, tmp_path):
    (tmp_path / "versions.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Turned(nn.Module):\n    _version = 2\n\n"
        "    def __init__(self):\n        super().__init__()\n        self.weight = nn.Parameter(torch.zeros(2, 2))\n\n"
        "    def _load_from_state_dict(self, state, prefix, metadata, *rest):\n"
        "        if (metadata.get('version') or 1) < 2:\n"
        "            state[prefix + 'weight'] = state[prefix + 'weight'].t()\n"
        "        super()._load_from_state_dict(state, prefix, metadata, *rest)\n\n"
        "    def forward(self, x):\n        return torch.relu(x @ self.weight.t())\n"
    )
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    new = OrderedDict(weight=weight)
    new._metadata = OrderedDict({"": {"version": 2}})
    torch.save(new, tmp_path / "new.pth")
    torch.save({"weight": weight.t()}, tmp_path / "old.pth")
    answers = []
    for name in ("new", "old"):
        words = ["--module", "versions.py:Turned", "--state-dict", f"{name}.pth", "--input", "x=float32[batch,2]"]
        ended = linreg("export", *words, "-o", name)
        assert ended.code == 0, ended
        assert ("note: old.pth: the module's own loading changes 'weight'" in ended.err) == (name == "old")
        assert linreg("verify", name).code == 0
        assert torch.equal(load_state(tmp_path / name / "model.pth")["weight"], weight)
        answers.append((tmp_path / name / "model.onnx").read_bytes())
        assert (tmp_path / name / TOLERANCE_FILE).exists()
    assert answers[0] == answers[1]
    assert (tmp_path / "new" / "model.pth").read_bytes() == (tmp_path / "old" / "model.pth").read_bytes()
