"""The word `prefix` in the text of an input: right-padded masks."""

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.source.user_module import parse_input
from linreg.errors import ExportError, LinregError


class Causal(nn.Module):
    """Causal attention with a padding mask: a row whose first token is masked sees nothing at all."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(50, 16), nn.Linear(16, 3)
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))

    def forward(self, ids, mask):
        x = self.embed(ids)
        heads = [layer(x)[:, None] for layer in (self.query, self.key, self.value)]
        size = ids.shape[1]
        see = torch.ones(size, size, dtype=torch.bool).tril() & mask[:, None, None, :].bool()
        return self.head(nn.functional.scaled_dot_product_attention(*heads, attn_mask=see)[:, 0, 0])


@pytest.mark.parametrize("dtype", ["bool", "int64", "int32", "uint8"])
def test_every_row_of_a_prefix_mask_is_some_ones_and_then_zeros(dtype):
    mask = parse_input(f"mask={dtype}[batch,3,6] prefix").random({"batch": 200}, 1e4, np.random.default_rng(0))
    assert mask.shape == (200, 3, 6)
    assert mask.dtype == np.dtype(dtype)
    ones = mask.sum(-1, dtype=int)
    assert set(ones.ravel()) == {1, 2, 3, 4, 5, 6}
    assert (mask == (np.arange(6) < ones[..., None])).all()


@pytest.mark.parametrize(
    "text",
    [
        "mask=float32[batch,6] prefix",
        "mask=int64[batch,6]<5 prefix",
        "1<=mask=int64[batch,6] prefix",
        "mask=bool[batch] prefix",
    ],
)
def test_prefix_is_refused_where_it_means_nothing(text):
    with pytest.raises(ExportError, match=r"prefix describes a mask of 0 and 1 .*mask=int64\[batch,seq\] prefix"):
        parse_input(text)


@pytest.mark.parametrize(
    "text", ["mask=bool[batch,6]prefix", "mask=bool[batch,6] suffix", "mask=bool[batch,6] prefix x"]
)
def test_any_other_word_is_refused(text):
    with pytest.raises(ExportError, match="expected NAME=DTYPE"):
        parse_input(text)


def test_a_mask_without_limits_is_refused_with_the_word_to_add():
    with pytest.raises(ExportError, match=r"'mask=int64\[batch,6\] prefix' for a right-padded mask"):
        parse_input("mask=int64[batch,6]")
    with pytest.raises(ExportError) as refused:
        parse_input("ids=int64[batch,6]")
    assert "prefix" not in str(refused.value).partition(", expected")[2].partition("such as")[2]


@pytest.mark.parametrize(
    "text",
    [
        "x=float32[batch,3]",
        "-2<=n=int8[batch]<5",
        "n=int64[batch]<7",
        "m=bool[batch,2]",
        "m=int64[batch,seq:1..512*3] prefix",
    ],
)
def test_an_input_can_be_written_as_it_was_read(text):
    assert parse_input(text).text() == text


def test_a_module_that_sees_nothing_in_some_rows_is_refused_with_the_word_to_add(tmp_path):
    ids = "ids=int64[batch,4]<50"
    with pytest.raises(LinregError, match=r"rows of 'mask' begin with 0 .*inputs 'mask=int64\[batch,4\] prefix'"):
        export(Causal(), tmp_path / "net", inputs=[ids, "mask=int64[batch,4]<2"], budget="1s")
    assert export(Causal(), tmp_path / "net", inputs=[ids, "mask=int64[batch,4] prefix"], budget="1s")


def test_a_prefix_mask_without_columns_is_empty():
    mask = parse_input("mask=int64[batch,seq] prefix").random({"batch": 2, "seq": 0}, 1.0, np.random.default_rng(0))
    assert mask.shape == (2, 0)
