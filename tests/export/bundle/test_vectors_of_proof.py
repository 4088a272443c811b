"""The vectors of a bundle take their answers from the proof."""

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.bundle.vectors import check_vectors, read_vectors
from export.proof.oracle import Oracle
from export.runners.torch import torch_runner
from linreg.errors import MismatchError


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


class Log(nn.Module):
    """NaN in about half of the rows, and no rows at all in the second output."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return torch.log(x) * self.factor, x[:0] * 2


def test_nan_in_a_row_leaves_the_bounds_of_the_others(tmp_path):
    export(Log(), tmp_path, inputs="x=float32[batch,4]", formats=["torchscript"], budget="0s")
    seen = 0
    for vectors in read_vectors(tmp_path):
        finite = np.isfinite(vectors.outputs[0])
        assert (vectors.allowed[0][finite] > 0).all()
        seen += np.count_nonzero(finite) and np.count_nonzero(~finite)
    assert seen
    assert check_vectors(torch_runner("right", Log()), tmp_path).worst_error <= 1
    with pytest.raises(MismatchError, match="wrong"):
        check_vectors(torch_runner("wrong", Log(1.001)), tmp_path)
