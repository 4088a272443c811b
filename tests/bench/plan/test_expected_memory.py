"""A benchmark whose expected outputs do not fit into memory is refused before anything is run at that batch size."""

import pytest
from torch import nn

from bench.plan.expected import write_expected
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError


class Vocabulary(nn.Module):
    """A head over many words."""

    largest = 0

    def __init__(self):
        super().__init__()
        self.words = nn.Sequential(nn.Embedding(1000, 4), nn.Linear(4, 1000))

    def forward(self, ids):
        Vocabulary.largest = max(Vocabulary.largest, len(ids))
        return self.words(ids)


def test_outputs_that_do_not_fit_are_refused_by_batch_size(tmp_path, monkeypatch):
    source = from_module(Vocabulary(), [parse_input("ids=int64[batch,16]<1000")])
    monkeypatch.setattr("linreg.memory.available_bytes", lambda: 10**8)
    with pytest.raises(ExportError, match=r"expected at batch 4096 take about .* GB of memory.*with --batch"):
        write_expected(tmp_path / "expected.npz", source, (1, 4096))
    assert Vocabulary.largest < 4096
    write_expected(tmp_path / "expected.npz", source, (1, 2))
