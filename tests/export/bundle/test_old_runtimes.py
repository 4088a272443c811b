"""The committed bundles run on the oldest onnxruntime that the output names."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from bench.benchmark import bench
from bench.report.environments import environment_lines
from export.bundle.compatibility import OLDEST_ONNXRUNTIME
from tests.conftest import ROOT
from tests.environments import make_environment

REFERENCE = ROOT / "artifacts" / "reference"
# onnxruntime 1.15 and 1.16 have no wheels for Python 3.12; 1.17 is the oldest that has.
VERSION = OLDEST_ONNXRUNTIME[18] if sys.version_info < (3, 12) else "1.17.3"
CHECK = """
import sys
from pathlib import Path
import numpy as np
import onnxruntime
import onnx_tensor

folder = Path(sys.argv[1])
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
count = 0
for place in sorted(folder.glob("test_data_set_*")):
    x, y, allowed = (onnx_tensor.read(place / f"{name}_0.pb") for name in ("input", "output", "allowed"))
    (got,) = session.run(None, {session.get_inputs()[0].name: x})
    assert got.shape == y.shape and got.dtype == y.dtype
    finite = np.isfinite(y) & np.isfinite(got)
    assert (np.isnan(got) == np.isnan(y))[~np.isinf(allowed)].all()
    assert (np.abs(got - y)[finite] <= allowed[finite]).all()
    count += 1
print(onnxruntime.__version__, count)
"""
# Old onnxruntimes want numpy 1, and onnx of today wants numpy 2: a TensorProto is read by hand.
TENSOR = '''
"""Read a TensorProto of raw data: fields 1 (dims), 2 (data_type), 9 (raw_data)."""
import numpy as np

DTYPES = {1: "<f4", 11: "<f8"}

def varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place

def read(path):
    data, place, dims, kind, raw = path.read_bytes(), 0, [], None, b""
    while place < len(data):
        key, place = varint(data, place)
        value, place = varint(data, place)
        if key & 7 == 2:
            content, place = data[place : place + value], place + value
            if key >> 3 == 9:
                raw = content
            if key >> 3 == 1:
                inner = 0
                while inner < len(content):
                    size, inner = varint(content, inner)
                    dims.append(size)
        elif key >> 3 == 1:
            dims.append(value)
        elif key >> 3 == 2:
            kind = value
    return np.frombuffer(raw, DTYPES[kind]).reshape(dims)
'''


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old-runtime")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, f"onnxruntime=={VERSION}", "numpy<2"], check=True)
    (folder / "onnx_tensor.py").write_text(TENSOR)
    (folder / "check.py").write_text(CHECK)
    return python, folder / "check.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_reference_bundles_run_on_the_oldest_onnxruntime(python, name):
    done = subprocess.run([*python, REFERENCE / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [VERSION, "5"]


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_oldest_onnxruntime_beside_the_pinned_one(python, tmp_path, name):
    """In environments that have neither linreg nor torch."""
    pinned = make_environment(tmp_path / "new", "numpy", "onnxruntime")
    places = {"old": python[0], "new": pinned}
    report = bench(REFERENCE / name, environments=places, processes=2, rounds=10, batches=1)
    assert [found.versions["onnxruntime"] for found in report.environments.found] == [VERSION, version("onnxruntime")]
    assert all(not found.problem and found.cases == 6 for found in report.environments.answers)
    for line in environment_lines(report.environments):
        assert line.startswith(f"onnxruntime {VERSION} -> ")
