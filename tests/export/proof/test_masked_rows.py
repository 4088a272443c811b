"""Rows of attention that are masked as a whole with the smallest number of a dtype, as in transformers."""

import torch
from torch import nn

from export.formats.names import Format
from export.proof.arithmetic import MASK, Perturbed
from export.source.module_source import from_module
from export.source.user_module import parse_input
from tests.artifacts import write_alone

UNIT = 2.0**-23


class PaddedAttention(nn.Module):
    """Attention in which a padded position sees nothing: its scores are all the smallest number of the dtype."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 8)

    def forward(self, x, mask):
        scores = self.project(x) @ x.transpose(1, 2)
        seen = (mask.unsqueeze(1) * mask.unsqueeze(2)).bool()
        return scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1) @ x


def test_rows_that_are_masked_as_a_whole_are_proved(tmp_path):
    torch.manual_seed(0)
    inputs = [parse_input("x=float32[batch,5,8]"), parse_input("mask=int64[batch,5] prefix")]
    written = write_alone(from_module(PaddedAttention(), inputs), Format.ONNX, tmp_path)
    assert written.verification.worst_error <= 1


def test_values_of_a_mask_are_exact_and_others_are_perturbed():
    smallest = torch.finfo(torch.float64).min
    values = torch.cat(
        [torch.full((40,), smallest, dtype=torch.float64), torch.full((40,), -MASK / 3, dtype=torch.float64)]
    )
    with Perturbed(UNIT, 0):
        shifted = torch.maximum(values, values)
        written = values.clone().mul_(1.0)
    for found in (shifted, written):
        assert (found[:40] == smallest).all()
        assert (found[40:] != values[40:]).any()
