"""Save and reload: the same bits, and an identity that depends on the weights alone."""

import hashlib
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linreg.checkpoint import load
from linreg.config import Architecture, Precision
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, make_model, torch_dtype
from linreg.state_dict import state_bytes, state_sha256
from tests.checkpoints import MODELS, card_of, rows, save
from tests.module_predictions import predict


@pytest.mark.parametrize(("architecture", "features", "bias", "precision"), MODELS)
@pytest.mark.parametrize("bare", [False, True])
def test_reloaded_bit_for_bit(
    tmp_path: Path, architecture: Architecture, features: int, bias: bool, precision: Precision, bare: bool
) -> None:
    model = make_model(architecture, features, bias=bias, dtype=torch_dtype(precision))
    card = card_of(model)
    save(tmp_path, model, card)
    path = tmp_path
    if bare:
        path = tmp_path / "other.pth"
        (tmp_path / "model.pth").rename(path)
    read = load(path)
    assert read.card == (None if bare else card)
    assert read.path == (path if bare else tmp_path / "model.pth")
    assert type(read.model) is type(model)
    assert not read.model.training
    assert read.state_sha256 == card.state_sha256
    for key, value in model.state_dict().items():
        other = read.model.state_dict()[key]
        assert other.dtype == value.dtype
        assert other.numpy().tobytes() == value.numpy().tobytes()
    assert predict(read.model, rows(features)).tobytes() == predict(model, rows(features)).tobytes()


def test_special_numbers_survive(tmp_path: Path) -> None:
    values = torch.tensor([[-0.0, 1e-45, torch.finfo(torch.float32).max, 0.1, -1.5]])
    model = LinearRegressionModelV2(5)
    model.load_state_dict({"linear_layer.weight": values, "linear_layer.bias": torch.tensor([-0.0])})
    save(tmp_path, model, card_of(model))
    state = load(tmp_path).model.state_dict()
    assert state["linear_layer.weight"].numpy().tobytes() == values.numpy().tobytes()
    assert state["linear_layer.bias"].numpy().tobytes() == np.float32(-0.0).tobytes()


def test_torch_itself_reads_the_file_into_a_fresh_instance(tmp_path: Path) -> None:
    model = LinearRegressionModelV2(3)
    save(tmp_path, model, card_of(model))
    fresh = LinearRegressionModelV2(3)
    fresh.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True))
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in model.state_dict().items())


def test_what_torch_save_itself_wrote_is_read(tmp_path: Path) -> None:
    model = LinearRegressionModel()
    torch.save(model.state_dict(), tmp_path / "net.pth")
    read = load(tmp_path / "net.pth")
    assert isinstance(read.model, LinearRegressionModel)
    assert read.state_sha256 == state_sha256(model.state_dict())


def test_the_bytes_depend_on_the_weights_alone(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
import torch
from linreg.state_dict import state_bytes
from linreg.models import LinearRegressionModelV2
torch.manual_seed(0)
data = state_bytes(dict(LinearRegressionModelV2(3).state_dict()))
Path(sys.argv[1]).write_bytes(data)
"""
    far = tmp_path / "a folder" / "deep"
    far.mkdir(parents=True)
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(far / "other name.bin")], check=True, cwd=far)
    torch.manual_seed(0)
    model = LinearRegressionModelV2(3)
    for name in ("one", "another"):
        save(tmp_path / name, model, card_of(model))
    written = [far / "other name.bin", tmp_path / "one" / "model.pth", tmp_path / "another" / "model.pth"]
    assert written[1].read_bytes() == written[2].read_bytes()
    state = model.state_dict()
    containers: list[dict[str, Tensor]] = [
        dict(state),
        OrderedDict(state),
        {key: value.clone() for key, value in state.items()},
        {key: nn.Parameter(value) for key, value in state.items()},
        {"linear_layer.weight": state["linear_layer.weight"].T.contiguous().T, **state},
        {
            key: torch.cat([value.reshape(-1), torch.ones(9)])[: value.numel()].view_as(value)
            for key, value in state.items()
        },
    ]
    assert {state_bytes(container) for container in containers} == {written[0].read_bytes()}
    for secret in (str(tmp_path), "one", "another", Path.home().name, os.uname().nodename):
        assert secret.encode() not in state_bytes(state)


def test_one_bit_of_a_weight_changes_the_bytes_and_the_identity() -> None:
    state = LinearRegressionModelV2(3).state_dict()
    other = {key: value.clone() for key, value in state.items()}
    other["linear_layer.bias"].view(torch.int32)[0] ^= 1
    assert state_bytes(state) != state_bytes(other)
    assert state_sha256(state) != state_sha256(other)


def test_the_identity_of_the_weights_by_definition() -> None:
    state = {"weights": torch.tensor([1.5]), "bias": torch.tensor([-0.25])}
    digest = hashlib.sha256()
    digest.update(b"('bias', 'float32', (1,))" + np.array([-0.25], "<f4").tobytes())
    digest.update(b"('weights', 'float32', (1,))" + np.array([1.5], "<f4").tobytes())
    assert state_sha256(state) == digest.hexdigest()
    assert state_sha256(dict(reversed(state.items()))) == digest.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"w": torch.zeros(2, dtype=torch.float64)},
        {"w": torch.zeros(4)},
        {"w": torch.zeros(2, 2), "v": torch.zeros(0)},
        {"v": torch.zeros(2, 2)},
        {"w": torch.zeros(2, 2, dtype=torch.int32)},
        {"w": -torch.zeros(2, 2)},
    ],
)
def test_the_identity_tells_names_shapes_dtypes_and_signs_apart(other: dict[str, Tensor]) -> None:
    assert state_sha256(other) != state_sha256({"w": torch.zeros(2, 2)})


def test_the_identity_is_of_values_not_of_memory() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    assert state_sha256({"w": matrix.T}) == state_sha256({"w": matrix.T.contiguous()})
    assert state_sha256({"w": torch.ones(1).expand(4)}) == state_sha256({"w": torch.ones(4)})
    assert state_sha256({"w": nn.Parameter(matrix)}) == state_sha256({"w": matrix})


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    model = LinearRegressionModelV2(3)
    save(tmp_path, model, card_of(model))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_saved_models_share_no_memory_with_what_was_saved(tmp_path: Path) -> None:
    model = LinearRegressionModel()
    save(tmp_path, model, card_of(model))
    with torch.no_grad():
        model.weights.fill_(9.0)
    read = load(tmp_path).model
    assert isinstance(read, LinearRegressionModel)
    assert read.weights.item() != 9.0
