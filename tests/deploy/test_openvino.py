"""A second opinion: OpenVINO, which shares no code with ONNX Runtime, passes the shipped vectors with float32 pinned.

What its default does on some processors, rounding weights and inputs to bfloat16, does not pass: the reason why one
verifies. OpenVINO is installed into an environment of its own; the project does not need it.
"""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle.vectors import check_vectors, read_vectors
from export.runners.base import Call, Runner
from export.runners.onnxruntime import onnxruntime_runner
from linreg.errors import MismatchError
from tests.deploy.bundles import REFERENCE

VERSION = "2026.4.1"
ANSWER = """
import sys
import numpy as np
import openvino

core = openvino.Core()
model = core.compile_model(core.read_model(sys.argv[1]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
with np.load(sys.argv[2]) as archive:
    answers = {name: model(archive[name])[0] for name in archive.files}
np.savez(sys.argv[3], **answers)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with OpenVINO."""
    folder = tmp_path_factory.mktemp("openvino")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    found = folder / "venv" / "bin" / "python"
    subprocess.run([found, "-m", "pip", "install", "--quiet", f"openvino=={VERSION}"], check=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["line", "penguins"])
def test_openvino_passes_the_vectors_in_float32(python, tmp_path, name):
    """All cases are answered in one process; the comparison is that of every other runtime."""
    bundle = REFERENCE / name
    asked = {vectors.name: vectors.inputs[0] for vectors in read_vectors(bundle)}
    np.savez(tmp_path / "asked.npz", **asked)
    (tmp_path / "answer.py").write_text(ANSWER)
    command = [python, tmp_path / "answer.py", bundle / "model.onnx", tmp_path / "asked.npz", tmp_path / "answers.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(io.BytesIO((tmp_path / "answers.npz").read_bytes())) as archive:
        answers = dict(archive)
    by_input = {array.tobytes(): answers[place] for place, array in asked.items()}

    def bind(inputs: tuple[np.ndarray, ...]) -> Call:
        answer = (by_input[inputs[0].tobytes()],)
        return Call(run=lambda: answer, outputs=lambda: answer, context=lambda: None)

    check = check_vectors(Runner(name="openvino", bind=bind, parameters=dict), bundle)
    assert check.cases == 5
    assert check.worst_error <= 1


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_weights_rounded_to_bfloat16_fail_the_vectors(name):
    model = onnx.load(str(REFERENCE / name / "model.onnx"))
    for tensor in model.graph.initializer:
        bits = numpy_helper.to_array(tensor).view(np.uint32)
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    with pytest.raises(MismatchError, match="within"):
        check_vectors(onnxruntime_runner("bfloat16", model.SerializeToString()), REFERENCE / name)
