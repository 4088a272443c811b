"""The capture that .pt2 and ONNX share."""

import torch
from torch import nn

from export.formats.onnx import to_onnx
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input


class BiasedAttention(nn.Module):
    """Attention with a learnt, expanded bias, as T5 has: torch.export refuses it where gradients are recorded."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 16, bias=False)
        self.relative = nn.Embedding(8, 4)

    def forward(self, x):
        batch, steps, _ = x.shape
        q = self.project(x).view(batch, -1, 4, 4).transpose(1, 2)
        bias = self.relative(torch.arange(steps)).T[None, :, None, :].expand(batch, 4, steps, steps)
        a = nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=bias, scale=1.0)
        return a.transpose(1, 2).view(batch, steps, -1)


def test_attention_with_a_learnt_bias_is_captured_without_gradients():
    source = from_module(BiasedAttention(), [parse_input("x=float32[batch,6,16]")])
    x = torch.randn(3, 6, 16)
    (answer,) = onnxruntime_runner("model.onnx", to_onnx(source)).bind((x.numpy(),)).outputs()
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(answer), source.module(x))
    assert torch.is_grad_enabled()
