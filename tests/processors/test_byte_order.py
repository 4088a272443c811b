"""The reader of TensorProto on each processor: onnx writes little-endian, and s390x is big-endian."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.processors.programs import output

KINDS = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]


def test_elements_of_every_type_are_read(target, tmp_path):
    paths, expected = [], []
    for kind in KINDS:
        floating = np.dtype(kind).kind == "f"
        values = [0.1, -2.5, 1e-7] if floating else [0, 1, 1] if kind == "bool" else [3, 18, 97]
        array = np.array(values) if floating else np.array(values) * (256 if np.dtype(kind).itemsize > 1 else 1) + 1
        array = array.astype(kind)
        paths.append(tmp_path / f"{kind}.pb")
        paths[-1].write_bytes(numpy_helper.from_array(array).SerializeToString())
        expected.append([float(value) for value in array])
    lines = output(target, tmp_path, "values", *(path.name for path in paths))
    assert [[float(word) for word in line.split()] for line in lines] == expected


@pytest.mark.parametrize("bytes_gone", [1, 4])
def test_a_damaged_tensor_is_refused(target, tmp_path, bytes_gone):
    path = tmp_path / "cut.pb"
    tensor = onnx.TensorProto(data_type=1, dims=[2], raw_data=bytes(8 - bytes_gone))
    path.write_bytes(tensor.SerializeToString())
    (line,) = output(target, tmp_path, "values", path.name)
    assert line.endswith("export again")
