"""A module of one layer that is not affine to the exporter, such as one in a Sequential, as C, JavaScript and SQL."""

import re

import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.bundle.verify import verify
from linreg.errors import MismatchError
from tests.conftest import forge

FORMATS = ["c", "js", "sql"]


class Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2))

    def forward(self, x):
        return x @ self.weight


MODULES = {
    "in a Sequential": (lambda: nn.Sequential(nn.Linear(4, 2)), "x=float32[batch,4]"),
    "with Dropout": (lambda: nn.Sequential(nn.Dropout(), nn.Linear(4, 2)), "x=float32[batch,4]"),
    "without a bias": (lambda: nn.Sequential(nn.Linear(4, 2, bias=False)), "x=float64[batch,4]"),
    "flattened": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), "x=float32[batch,3,2]"),
    "over the last axis": (lambda: nn.Linear(4, 2, bias=False), "x=float32[batch,3,4]"),
    "a product": (Product, "x=float32[batch,4]"),
}


@pytest.mark.parametrize("name", MODULES)
def test_one_layer_is_verified_in_every_language(tmp_path, name):
    make, described = MODULES[name]
    torch.manual_seed(20261126)
    module = make().to(getattr(torch, re.search(r"float\d\d", described)[0]))
    export(module, tmp_path, inputs=described, formats=FORMATS)
    rows = verify(tmp_path).rows
    assert {row.file for row in rows} == {"model.c", "model.mjs", "model.sql"}
    assert all(row.worst_error <= 1 for row in rows)
    text = (tmp_path / "model.sql").read_text()
    changed = re.sub(r"[\d.]+e-?\d+(?=\)?/\*0\.1\*/)", "0.5e0", text)
    assert changed != text
    forge(tmp_path, model_sql=changed.encode())
    with pytest.raises(MismatchError, match=r"model\.sql"):
        verify(tmp_path, module=module, trust=True)
