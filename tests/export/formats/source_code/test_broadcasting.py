"""Rows that are broadcast along their axes: gates, and products of a column and a row; in C, JavaScript and SQL."""

import pytest
import torch
from torch import nn

from export.bundle.build import ExportOptions
from export.formats.names import Format
from export.formats.source_code.network import network_of
from linreg.errors import ExportError
from tests.artifacts import write_alone
from tests.feed_forward_networks import source_of


class Gates(nn.Module):
    """A gate of (batch, 1), one that is computed in a step of its own, and a column times a row."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.score, self.last = nn.Linear(3, 1), nn.Linear(3, 2), nn.Linear(6, 2)
        self.spread = nn.Parameter(torch.randn(3))

    def forward(self, x):
        gated = x * torch.sigmoid(self.gate(x)) + self.gate(x) * self.spread
        pairs = self.score(x).unsqueeze(2) * gated.unsqueeze(1) + x.unsqueeze(1)
        return self.last(pairs.flatten(1)) + self.gate(x)


@pytest.fixture(scope="module")
def gates():
    torch.manual_seed(5)
    return source_of(Gates(), "x=float32[batch,3]")


@pytest.mark.parametrize("kind", [Format.C, Format.JS, Format.SQL])
def test_broadcast_rows_are_proved(kind, gates, tmp_path):
    artifact = write_alone(gates, kind, tmp_path, options=ExportOptions(budget_s=1.0))
    assert artifact.verification.worst_error < 1
    assert artifact.verification.cases > 2


class Computed(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(3, 3), function

    def forward(self, x):
        return self.function(self.layer(x))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y: torch.ones(y.shape[0], 2) + y[:, :2], "use a parameter or number that is broadcast over the batch"),
        (lambda y: y[:, :2], "operator Slice .*use inputs selected before the model"),
        (lambda y: y.unsqueeze(1) + y, "computes with rows of .* expected as many axes in each; unsqueeze one"),
        (lambda y: y.sum(1, keepdim=True), "operator ReduceSum .*use a Linear over the flattened tensor, with"),
    ],
)
def test_what_is_refused_names_what_could_replace_it(function, message):
    with pytest.raises(ExportError, match=message):
        network_of(source_of(Computed(function), "x=float32[batch,3]"), "c")


def test_a_network_without_weights_is_refused():
    with pytest.raises(ExportError, match="c: the module has no weights"):
        network_of(source_of(nn.Tanh(), "x=float32[batch,3]"), "c")
