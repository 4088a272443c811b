"""What model.sql answers for infinity and for numbers whose exp underflows, against torch; in every database."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from export.formats.sql import to_sql
from export.formats.sql_text import read_sql
from tests.feed_forward_networks import source_of
from tests.sql_databases import Ask

FAR = [-math.inf, -1e100, -800.0, -650.0, 800.0, math.inf]

WITH_EXP = [nn.ELU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus()]

ROWS = [
    [-math.inf, 0.0, 1.0],
    [math.inf, 0.0, 1.0],
    [math.inf, 1.0, math.inf],
    [-math.inf, -math.inf, -math.inf],
    [-math.inf, 2.0, -math.inf],
    [-900.0, 900.0, 0.0],
]


class _Scaled(nn.Module):
    """A layer of the input times one, since source code needs a weight."""

    def __init__(self, layer: nn.Module, features: int) -> None:
        super().__init__()
        self.layer, self.scale = layer, nn.Parameter(torch.ones(features))

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x * self.scale)


def check_special_values(layer: nn.Module, rows: Sequence[Sequence[float]], ask: Ask) -> None:
    """Compare rows with float64 torch; a NULL of SQLite stands for NaN."""
    module = _Scaled(layer, len(rows[0])).double()
    text = read_sql("model.sql", to_sql(source_of(module, f"x=float64[batch,{len(rows[0])}]")))
    answers = ask(text.query, text.columns, rows)
    found = np.array([row[len(text.columns) :] for row in answers], np.float64)
    with torch.inference_mode():
        expected = module(torch.tensor(rows, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-250)
