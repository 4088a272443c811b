"""The vectors of a bundle take their answers from the proof."""

import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.proof.oracle import Oracle


@pytest.mark.parametrize("example", [None, (torch.ones(3, 4),)])
def test_no_answer_is_computed_a_second_time(example, tmp_path, monkeypatch):
    made, asked, compute = [], [], Oracle._narrow

    def counted(self, inputs, scale):
        made.append(id(self))
        asked.append((scale, *(array.tobytes() for array in inputs)))
        return compute(self, inputs, scale)

    monkeypatch.setattr(Oracle, "_narrow", counted)
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    export(module, tmp_path, inputs="x=float32[batch,4]", example=example, formats=["torchscript"], budget="0s")
    assert (tmp_path / "test_data_set_0").is_dir()
    assert len(asked) == len(set(asked)) > 0
    assert len(set(made)) == 1
