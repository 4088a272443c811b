"""What the budget left out is said in a few words, however many axes there are."""

import math

import pytest
from torch import nn

from export.proof.budget import Spending
from export.proof.cases import planned_cases
from export.proof.not_tried import left_out
from export.proof.sizes import all_sizes
from export.source.module_source import from_module
from export.source.user_module import parse_input


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=float32[batch,16]", ["batch 1, scale 0.001", "batch 64", "batch 4096"]),
        ("x=float32[batch,m,n,16]", ["scale 0.001 at 8 sizes", "negated at 8 sizes", "batch 4096, m 5, n 6"]),
    ],
)
def test_what_was_left_out_is_counted_if_there_is_much(text, expected):
    source = from_module(nn.Sequential(nn.Linear(16, 4), nn.ReLU()), [parse_input(text)])
    planned = planned_cases(source, all_sizes(source))
    spending = Spending(math.inf)
    spending.start_case()
    spending.end_case(1)
    left = [
        entry.rpartition(" (")[0] for entry in left_out([case for case in planned if not case.least], planned, spending)
    ]
    assert set(expected) <= set(left)
    assert len(left) < 14
