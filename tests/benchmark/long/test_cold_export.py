"""Cold commands of the affine way in CPU seconds, beside plain scripts around torch.onnx.export and scikit-learn."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import pytest

from tests.conftest import PENGUINS

PAIRS = 5
FEATURES = "bill_length_mm,bill_depth_mm,flipper_length_mm"
EXPORT_LIMIT = 0.15
TRAIN_LIMIT = 0.5
VERIFY_LIMIT = 0.25
"""Beside the same script around torch.onnx.export."""

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


TRAINING = """
import pickle
import sys

import numpy as np
import pandas
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split

features = sys.argv[2].split(",")
table = pandas.read_csv(sys.argv[1])[[*features, "body_mass_g"]].dropna()
train, test = train_test_split(table, train_size=0.8, random_state=42)
model = LinearRegression().fit(train[features].to_numpy(), train["body_mass_g"].to_numpy())
for part in (train, test):
    predicted = model.predict(part[features].to_numpy())
    print(len(part), r2_score(part["body_mass_g"], predicted), mean_absolute_error(part["body_mass_g"], predicted))
with open("model.pickle", "wb") as stream:
    pickle.dump(model, stream)
"""


def cpu_s(command: list[str], folder: Path) -> float:
    """Run a command to its end; return the CPU seconds that it and its children took."""
    done = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    assert done.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def compared(benchmark, folder: Path, ours: list[str], theirs: list[str], limit: float) -> None:
    """Compare the CPU seconds of two cold commands; the first pair fills the disk's cache and is not counted."""
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(
        lambda: pairs.append((cpu_s(ours, folder), cpu_s(theirs, folder))), rounds=PAIRS, warmup_rounds=1
    )
    if benchmark.disabled:
        return
    ratios = [our / their for our, their in pairs[1:]]
    benchmark.extra_info.update(
        pairs=len(ratios),
        cpu_s_median=median(our for our, _ in pairs[1:]),
        plain_script_cpu_s_median=median(their for _, their in pairs[1:]),
        ratio_median=median(ratios),
        ratios=[round(ratio, 3) for ratio in ratios],
    )
    assert len(ratios) == PAIRS
    assert median(ratios) <= limit


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
    compared(benchmark, tmp_path, linreg, plain, EXPORT_LIMIT)
    rows = np.random.default_rng(0).standard_normal((33, 1)).astype(np.float32)
    answers = [
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": rows})[0]
        for path in (line / "model.onnx", tmp_path / "plain.onnx")
    ]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-6, atol=1e-6)


def test_cold_verify_beside_that_script(benchmark, line, tmp_path):
    (tmp_path / "plain.py").write_text(SCRIPT)
    plain = [sys.executable, "plain.py", str(line / "model.pth"), "plain.onnx"]
    assert cpu_s([sys.executable, "-m", "linreg", "export", "-f", "onnx", "-m", str(line)], tmp_path) > 0
    linreg = [sys.executable, "-m", "linreg", "verify", str(line / "model.onnx")]
    compared(benchmark, tmp_path, linreg, plain, VERIFY_LIMIT)


def test_cold_exact_training_beside_pandas_and_scikit_learn(benchmark, tmp_path):
    (tmp_path / "plain.py").write_text(TRAINING)
    plain = [sys.executable, "plain.py", str(PENGUINS), FEATURES]
    words = ["train", str(PENGUINS), "--target", "body_mass_g", "--features", FEATURES, "-o", "penguins", "--force"]
    compared(benchmark, tmp_path, [sys.executable, "-m", "linreg", *words], plain, TRAIN_LIMIT)
