"""Bundles for the deployed programs: the committed ones, modules of every type, and faults planted in them."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from export.bundle.vectors import read_vectors
from export.formats.names import Format
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from tests import nets

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "artifacts" / "reference"
FEATURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm")


class Mixed(nn.Module):
    """Two inputs, three outputs: float32, int64 and bool."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = self.head(x + self.table(ids).sum(1))
        return y, y.argmax(1), y > 0


MODULES = {
    "two towers": (nets.TwoTowers, nets.INPUTS[nets.TwoTowers]),
    "mixed": (Mixed, ["x=float32[batch,4]", "ids=int64[batch,3]<10"]),
    "float16": (lambda: nn.Linear(6, 2).half(), ["x=float16[batch,6]"]),
    "float64": (lambda: nn.Linear(5, 1).double(), ["x=float64[batch,5]"]),
    "13 features": (lambda: nn.Linear(13, 4), ["x=float32[batch,13]"]),
}


def tool(name: str, package: str) -> str:
    """Where a tool of the system is; without it the test fails, and says what installs it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing; install it: apt-get install -y --no-install-recommends {package}")
    return found


def run(*words: object, text: str | bytes = b"", **settings) -> subprocess.CompletedProcess[bytes]:
    """Run a program; it must end by itself, and no sanitizer may have found anything."""
    data = text.encode() if isinstance(text, str) else text
    ended = subprocess.run([str(word) for word in words], input=data, capture_output=True, timeout=120, **settings)
    assert ended.returncode in (0, 1), ended
    assert b"Sanitizer" not in ended.stderr and b"runtime error" not in ended.stderr, ended.stderr.decode()
    return ended


def bench_line(program: Path, batch: int, blocks: int, *, least_call_s: float = 1e-7) -> dict:
    """The one line of `bench`; its blocks are in seconds, so together they fit in the time that the program took.

    No call into a runtime is as short as `least_call_s`.
    """
    start_s = time.monotonic()
    ended = run(program, "bench", REFERENCE / "penguins", batch, blocks)
    taken_s = time.monotonic() - start_s
    assert ended.returncode == 0 and ended.stdout.count(b"\n") == 1
    found = json.loads(ended.stdout)
    assert (found["batch"], len(found["block_s"])) == (batch, blocks)
    assert found["calls"] >= 1 and min(found["block_s"]) / found["calls"] > least_call_s
    assert sum(found["block_s"]) < taken_s
    return found


def copy_of(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


def verify(program: Path, bundle: Path) -> tuple[int, list[str]]:
    """The exit code and the lines of `verify`."""
    ended = run(program, "verify", bundle)
    return ended.returncode, ended.stdout.decode().splitlines()


def onnx_runner(bundle: Path) -> Runner:
    return load_artifact(Format.ONNX, bundle.name, (bundle / "model.onnx").read_bytes(), Trust.MADE_HERE)


def answer_with(runner: Runner, bundle: Path) -> None:
    """Make the outputs of the vectors those of a runner on this machine."""
    for vectors in list(read_vectors(bundle)):
        for index, output in enumerate(runner.bind(vectors.inputs).outputs()):
            write_tensor(bundle / vectors.name / f"output_{index}.pb", output)


def write_tensor(path: Path, array: np.ndarray) -> None:
    path.write_bytes(numpy_helper.from_array(np.ascontiguousarray(array)).SerializeToString())


def _swap(weight: np.ndarray, bias: np.ndarray) -> None:
    weight[...] = weight[:, ::-1].copy()


def _drop_bias(weight: np.ndarray, bias: np.ndarray) -> None:
    bias[...] = 0


def _flip_bit(weight: np.ndarray, bias: np.ndarray) -> None:
    weight.view(np.uint32)[0, 0] ^= 1


WEIGHT_FAULTS = {"swapped features": _swap, "dropped bias": _drop_bias, "one bit of a weight": _flip_bit}


def plant_in_onnx(fault: str, path: Path) -> None:
    """Change weight and bias in an .onnx file of one Gemm."""
    model = onnx.load(path)
    tensors = {tensor.name.split(".")[-1]: tensor for tensor in model.graph.initializer}
    arrays = {name: numpy_helper.to_array(tensor).copy() for name, tensor in tensors.items()}
    WEIGHT_FAULTS[fault](arrays["weight"], arrays["bias"])
    for name, tensor in tensors.items():
        tensor.raw_data = arrays[name].tobytes()
    path.write_bytes(model.SerializeToString())


def plant_in_torchscript(fault: str, path: Path) -> None:
    """Change weight and bias in a TorchScript file; its memory is that of the arrays."""
    module = torch.jit.load(path)
    arrays = {name.split(".")[-1]: value.detach().numpy() for name, value in module.named_parameters()}
    WEIGHT_FAULTS[fault](arrays["weight"], arrays["bias"])
    module.save(str(path))


def _truncate(bundle: Path) -> None:
    path = bundle / "test_data_set_1" / "output_0.pb"
    path.write_bytes(path.read_bytes()[:-3])


def _no_folders(bundle: Path) -> None:
    for folder in bundle.glob("test_data_set_*"):
        shutil.rmtree(folder)


def _damage(bundle: Path) -> None:
    (bundle / "test_data_set_1" / "allowed_0.pb").write_bytes(b"\xff" * 40)


def _negative_bound(bundle: Path) -> None:
    """Bounds that no error can stay within, beside answers that are right to the bit."""
    write_tensor(bundle / "test_data_set_1" / "allowed_0.pb", np.full((7, 1), np.nan))


FILE_FAULTS = {
    "truncated vector": _truncate,
    "damaged protobuf": _damage,
    "bounds of NaN": _negative_bound,
    "no vectors": _no_folders,
    "missing input": lambda bundle: (bundle / "test_data_set_0" / "input_0.pb").unlink(),
    "missing output": lambda bundle: (bundle / "test_data_set_2" / "output_0.pb").unlink(),
    "missing bound": lambda bundle: (bundle / "test_data_set_2" / "allowed_0.pb").unlink(),
    "a folder for a file": lambda bundle: (bundle / "test_data_set_3" / "output_1.pb").mkdir(),
}
"""What may be wrong with the files of a bundle; the missing model is each program's own."""


def checksums_agree(bundle: Path) -> bool:
    """`sha256sum -c SHA256SUMS`, which the READMEs ask for before a program is run."""
    words = [tool("sha256sum", "coreutils"), "--check", "--strict", "--quiet", "SHA256SUMS"]
    return subprocess.run(words, cwd=bundle, capture_output=True).returncode == 0
