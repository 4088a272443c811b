"""Labels and other whole numbers are right if they differ only where values tie."""

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.comparison import compare_outputs
from export.proof.oracle import Oracle
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError


class Top(nn.Module):
    """The three best of eight classes, by an affine score."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(2, 8)

    def forward(self, x):
        values, labels = self.scores(x).softmax(1).topk(3)
        return {"values": values, "labels": labels}


class Best(nn.Module):
    def forward(self, x):
        return x.softmax(1).argmax(1)


class BestKept(nn.Module):
    def forward(self, x):
        return x.min(1, keepdim=True).indices


class Floor(nn.Module):
    """A whole number that is no label."""

    def forward(self, x):
        return x.exp().log().floor().long()


def oracle_of(module, size=2):
    return Oracle(from_module(module, [parse_input(f"x=float32[batch,{size}]")]))


def top_of(inputs):
    module = Top()
    with torch.no_grad():
        module.scores.weight.zero_()
        module.scores.weight[0] = 1
        module.scores.bias.copy_(torch.tensor([0.0, 1, 1, 1, 0, 0, 0, -5]))
    expected = oracle_of(module).answers((np.array(inputs, np.float32),))
    return expected, expected[0].eager, expected[1].eager


def judged(expected, *outputs):
    return compare_outputs("net", ("values", "labels")[-len(outputs) :], outputs, expected)


def test_labels_of_equal_values_may_stand_in_any_order():
    expected, values, labels = top_of([[0, 0]])
    assert not judged(expected, values, labels).ties
    for order in ([[3, 1, 2]], [[2, 3, 1]]):
        assert judged(expected, values, np.array(order)).ties == ("labels",)


@pytest.mark.parametrize("wrong", [[1, 2, 0], [1, 1, 1], [7, 2, 3], [1, 2, 8], [-1, 2, 3]])
def test_labels_of_other_values_are_wrong(wrong):
    expected, values, _ = top_of([[0, 0]])
    with pytest.raises(MismatchError, match="net: labels at row 0"):
        judged(expected, values, np.array([wrong]))


def test_labels_tie_where_softmax_underflows():
    expected, values, _ = top_of([[1e4, 0]])
    assert judged(expected, values, np.array([[0, 7, 5]])).ties == ("labels",)
    with pytest.raises(MismatchError, match="net: labels at row 0"):
        judged(expected, values, np.array([[7, 0, 5]]))


@pytest.mark.parametrize(("module", "tied"), [(Best(), [1, 1, -3]), (BestKept(), [1, 1, 3])], ids=["argmax", "min"])
def test_the_best_of_values_that_tie_may_be_any_of_them(module, tied):
    (expected,) = oracle_of(module, 3).answers((np.array([tied], np.float32),))
    for label in (0, 1):
        judged((expected,), np.full_like(expected.eager, label))
    with pytest.raises(MismatchError, match="net: labels at row 0"):
        judged((expected,), np.full_like(expected.eager, 2))


def test_other_whole_numbers_may_be_what_a_perturbed_run_returns():
    below_one = np.nextafter(np.float32(1), np.float32(0))
    expected = oracle_of(Floor()).answers((np.array([[below_one, 0.5]], np.float32),))
    for right in ([[0, 0]], [[1, 0]]):
        judged(expected, np.array(right))
    for wrong in ([[2, 0]], [[1, 1]]):
        with pytest.raises(MismatchError, match="net: labels at row 0"):
            judged(expected, np.array(wrong))
