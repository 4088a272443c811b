"""A state_dict may hold attention masks of -inf."""

import pytest
import torch
from torch import nn

from linreg.errors import ModelError
from linreg.state_loading import load_into
from linreg.state_reading import load_state


class MaskedLater(nn.Linear):
    """Keeps its mask in a buffer that is filled after the module is made."""

    def __init__(self):
        super().__init__(3, 3)
        self.register_buffer("mask", torch.zeros(3, 3))


def loaded(tmp_path, **changes):
    module = MaskedLater()
    torch.save({**module.state_dict(), **changes}, tmp_path / "net.pth")
    load_into(module, load_state(tmp_path / "net.pth"))
    return module


def test_a_mask_of_minus_infinity_is_loaded_into_a_buffer(tmp_path):
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert torch.equal(loaded(tmp_path, mask=mask).mask, mask)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_other_numbers_that_are_not_finite_are_refused_in_a_buffer(tmp_path, number):
    with pytest.raises(ModelError, match="'mask' holds NaN or infinity"):
        loaded(tmp_path, mask=torch.full((3, 3), number))


def test_minus_infinity_is_refused_in_a_parameter(tmp_path):
    with pytest.raises(ModelError, match="'bias' holds NaN or infinity"):
        loaded(tmp_path, bias=torch.full((3,), -torch.inf))
