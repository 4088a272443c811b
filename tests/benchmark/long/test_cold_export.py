"""From the shell to a verified model.onnx, beside a plain script around torch.onnx.export; both start cold."""

import subprocess
import sys
import time
from statistics import median

import numpy as np
import onnxruntime
import pytest

PAIRS = 5
SCRIPT = """
import sys
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear_layer = nn.Linear(1, 1)

    def forward(self, x):
        return self.linear_layer(x)


model = Model()
model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
model.eval()
torch.onnx.export(
    model,
    (torch.zeros(2, 1),),
    sys.argv[2],
    dynamo=True,
    input_names=["input"],
    output_names=["output"],
    dynamic_shapes=({0: torch.export.Dim("batch")},),
)
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The straight line, trained."""
    from linreg.fitting import fit, straight_line

    bundle = tmp_path_factory.mktemp("line")
    fit(straight_line()).save(bundle)
    return bundle


def test_cold_export_beside_a_plain_script(benchmark, line, tmp_path):
    (tmp_path / "plain.py").write_text(SCRIPT)
    plain = [sys.executable, "plain.py", str(line / "model.pth"), "plain.onnx"]
    linreg = [sys.executable, "-m", "linreg", "export", "--format", "onnx", "-m", str(line)]
    theirs, ours = [], []

    def cold(command: list[str], durations: list[float]) -> None:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        durations.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr

    # Before each round of ours one of theirs; the first pair fills the disk's cache and is not counted.
    benchmark.pedantic(cold, args=(linreg, ours), setup=lambda: cold(plain, theirs), rounds=PAIRS, warmup_rounds=1)
    rows = np.random.default_rng(0).standard_normal((33, 1)).astype(np.float32)
    answers = [
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": rows})[0]
        for path in (line / "model.onnx", tmp_path / "plain.onnx")
    ]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-6, atol=1e-6)
    if benchmark.disabled:
        return
    ratios = [our / their for our, their in zip(ours[1:], theirs[1:], strict=True)]
    benchmark.extra_info.update(
        pairs=len(ratios),
        plain_script_median_s=median(theirs[1:]),
        ratio_median=median(ratios),
        ratios=[round(ratio, 3) for ratio in ratios],
    )
    assert len(ratios) == PAIRS
    assert median(ratios) <= 0.45
