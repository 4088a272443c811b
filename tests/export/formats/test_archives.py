"""The archives that torch writes, written again: what they answer after saving and loading."""

import io
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.build import build
from export.formats.archives import rewrite
from export.formats.names import Format
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.module_source import from_module
from export.source.user_module import parse_input

ARCHIVES = [Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2]


class Divides(nn.Module):
    """Whole numbers by whole numbers: torch 1.5 truncated."""

    def forward(self, x):
        return x + torch.arange(4) / 4 + torch.arange(4).div(torch.arange(3, 4))


class DividesWithMode(nn.Module):
    def forward(self, x):
        rows = torch.arange(4) - 2
        floor, trunc = rows.div(4, rounding_mode="floor"), torch.div(rows, torch.arange(3, 4), rounding_mode="trunc")
        return x + floor + trunc + torch.div(rows, 3, rounding_mode=None)


class DividesInPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        y.div_(3)
        y.div_(torch.arange(7, 8))
        return y.div_(0.25, rounding_mode="floor").div_(torch.full((1,), 3.0), rounding_mode="trunc")


class Fills(nn.Module):
    """Before version 5, torch.full made floating numbers of whole ones."""

    def forward(self, x):
        filled = torch.full((4,), 7)
        return x + filled.div(2, rounding_mode="floor"), filled


class Spaces(nn.Module):
    """Before versions 8 and 9, the number of steps could be left out."""

    def forward(self, x):
        return x + torch.linspace(0.0, 1.0, 4) + torch.logspace(0.0, 1.0, 4)


class Gelus(nn.Module):
    """Before version 10, gelu had no approximation."""

    def forward(self, x):
        return nn.functional.gelu(x) + nn.functional.gelu(x, approximate="tanh")


class NoVersion(nn.Module):
    """Nothing that any version changed, and an empty tensor."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.register_buffer("empty", torch.zeros(0, 3))

    def forward(self, x):
        return self.layer(x) + self.empty.sum()


VERSIONED = [Divides, DividesWithMode, DividesInPlace, Fills, Spaces, Gelus, NoVersion]


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("module", VERSIONED, ids=lambda module: module.__name__)
def test_operators_that_torch_changed_answer_as_eager_after_loading(module, kind):
    source = from_module(module(), [parse_input("x=float32[batch,4]")])
    runner = load_artifact(kind, kind.value, build(source, kind), Trust.MADE_HERE)
    (rows,) = source.random_inputs({"batch": 5}, 3.0, 1)
    answers = runner.bind((rows,)).outputs()
    with torch.inference_mode():
        wanted = source.module(torch.from_numpy(rows.copy()))
    for got, eager in zip(answers, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        assert got.dtype == eager.numpy().dtype
        np.testing.assert_allclose(got, eager.numpy(), rtol=1e-6, atol=1e-6)


def records(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name.partition("/")[2]: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("module", VERSIONED, ids=lambda module: module.__name__)
def test_an_archive_that_is_written_again_has_the_records_that_torch_wrote(module):
    with pytest.warns(DeprecationWarning):
        scripted = torch.jit.script(module().eval()).save_to_buffer()
    captured = io.BytesIO()
    torch.export.save(torch.export.export(module().eval(), (torch.ones(2, 4),)), captured)
    for archive in (scripted, captured.getvalue()):
        before, after = records(archive), records(rewrite(archive, lambda name, record: (name, record)))
        assert before.pop(".data/serialization_id") is not None
        assert after.pop(".data/serialization_id") is not None
        assert after == before
