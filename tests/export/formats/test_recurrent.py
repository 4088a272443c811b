"""nn.LSTM and nn.GRU with a dynamic number of steps: files are right at lengths that the proof did not try."""

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import linreg

TOLERANCE = 1e-6


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layer = kind(4, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        steps, state = self.layer(x)
        last = state[0] if isinstance(state, tuple) else state
        return self.head(steps), last[-1]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_number_of_steps_is_dynamic(kind, tmp_path):
    module = Recurrent(kind).eval()
    formats = ["onnx", "pt2"] if kind is nn.GRU else ["onnx"]
    linreg.export(module, tmp_path / "net", inputs="x=float32[batch,seq,4]", formats=formats, budget="0s")
    path = tmp_path / "net" / "model.onnx"
    declared = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in onnx.load(path).graph.output
    ]
    assert declared == [["batch", "seq", 2], ["batch", 6]]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for rows, steps in ((1, 1), (3, 29), (5, 17)):
        x = torch.randn(rows, steps, 4)
        with torch.inference_mode():
            wanted = module(x)
        for answer, value in zip(session.run(None, {"x": x.numpy()}), wanted, strict=True):
            assert answer.shape == tuple(value.shape)
            assert abs(answer - value.numpy()).max() < TOLERANCE
