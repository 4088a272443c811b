"""Every activation and normalisation that source code knows, in float64 and float32, in ONNX, C, JavaScript and SQL."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.formats.float64_numbers import REWRITTEN
from export.formats.names import Format
from export.runners.load import load_artifact
from export.runners.trust import Trust
from linreg import export
from tests.small_networks import as_after_training

FORMATS = ["onnx", "c", "js", "sql"]

LAYERS = [
    nn.ReLU(),
    nn.LeakyReLU(),
    nn.ELU(0.7),
    nn.SELU(),
    nn.CELU(0.3),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Tanh(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Softplus(0.3, 1.1),
    nn.Hardtanh(-0.3, 0.7),
    nn.Softmax(-1),
    nn.LayerNorm(3),
    nn.LayerNorm(3, elementwise_affine=False),
    nn.BatchNorm1d(3),
    nn.BatchNorm1d(3, affine=False),
]
ONLY_FLOAT64 = (nn.SELU, nn.CELU)
"""Others that are written as simpler operators, though not in float32."""


class SideBySide(nn.Module):
    """Every layer on the same values, with the results side by side, so that an error of one is not lost in another."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.first, self.layers = nn.Linear(4, 3), nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return torch.cat([layer(hidden) for layer in self.layers] + [hidden * 0.1 + 0.7], -1)


@pytest.fixture(scope="module", params=["float64", "float32"])
def network(request, tmp_path_factory):
    """A module, and its bundle with all formats, which the proof has accepted."""
    dtype, folder = request.param, tmp_path_factory.mktemp("networks") / request.param
    if dtype == "float64":
        layers = LAYERS
    else:
        layers = [layer for layer in LAYERS if not isinstance(layer, ONLY_FLOAT64)] + [nn.GELU()]
    torch.manual_seed(20261126)
    module = as_after_training(SideBySide(layers)).to(getattr(torch, dtype))
    export(module, folder, inputs=f"x={dtype}[batch,4]", formats=FORMATS, budget="1s")
    return module, folder


FILES = {"model.onnx": Format.ONNX, "model.c": Format.C, "model.mjs": Format.JS, "model.sql": Format.SQL}


@pytest.mark.parametrize("name", FILES)
def test_each_format_has_the_answers_of_every_layer(network, name):
    module, folder = network
    runner = load_artifact(FILES[name], name, (folder / name).read_bytes(), Trust.USER)
    dtype = next(module.parameters()).dtype
    rows = torch.randn(50, 4, dtype=dtype, generator=torch.manual_seed(1)) * 3
    (found,) = runner.bind((rows.numpy(),)).outputs()
    with torch.inference_mode():
        expected = copy.deepcopy(module).double()(rows.double()).numpy()
    units = np.abs(found - expected) / (torch.finfo(dtype).eps * np.maximum(1, np.abs(expected)))
    assert units.max() < 100


def test_every_parameter_is_in_the_files(network):
    _, folder = network
    proofs = {entry["name"]: entry["proof"] for entry in json.loads((folder / "manifest.json").read_text())["files"]}
    for name in FILES:
        assert (name, proofs[name]["weights"]["unproved"]) == (name, [])


def test_a_softplus_keeps_a_threshold_that_is_higher_than_the_default():
    x = torch.linspace(0, 80, 33, dtype=torch.float64)
    rewritten = REWRITTEN[torch.ops.aten.softplus.default](x, 0.3, 22.0)
    torch.testing.assert_close(rewritten, nn.functional.softplus(x, 0.3, 22.0), rtol=1e-15, atol=0)
