"""liblinreg.so by Python's ctypes: a fifth language, in which a test can call what no program of deploy/ does."""

import ctypes
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, c_bool, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.deploy.bundles import REFERENCE, ROOT, tool
from tests.deploy.c_builds import build

FLOAT32 = 1


class CTensor(ctypes.Structure):
    _fields_ = [
        ("type", c_int32),
        ("rank", c_size_t),
        ("dims", c_int64 * 8),
        ("count", c_size_t),
        ("bytes", c_size_t),
        ("data", c_void_p),
    ]


FUNCTIONS = {
    "linreg_open": (c_void_p, [c_char_p, c_char_p]),
    "linreg_open_bundle": (c_void_p, [c_char_p, c_char_p]),
    "linreg_close": (None, [c_void_p]),
    "linreg_version": (c_char_p, [c_void_p]),
    "linreg_output_count": (c_size_t, [c_void_p]),
    "linreg_run": (c_bool, [c_void_p, POINTER(CTensor), c_size_t, POINTER(CTensor), c_size_t, c_char_p]),
    "linreg_allocate_tensor": (c_bool, [POINTER(CTensor), c_int32, c_size_t, POINTER(c_int64), c_char_p]),
    "linreg_free_tensor": (None, [POINTER(CTensor)]),
    "linreg_bind": (c_void_p, [c_void_p, c_char_p, c_int64, c_char_p]),
    "linreg_call": (c_bool, [c_void_p]),
    "linreg_unbind": (None, [c_void_p]),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(build("gcc", tmp_path_factory.mktemp("library")).parent / "liblinreg.so"))
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


@pytest.fixture
def error() -> ctypes.Array:
    return ctypes.create_string_buffer(512)


@pytest.fixture
def penguins(library, error):
    model = library.linreg_open_bundle(bytes(REFERENCE / "penguins"), error)
    assert model, error.value
    yield model
    library.linreg_close(model)


def test_the_library_exports_the_functions_of_its_header_and_no_more(library):
    header = (ROOT / "deploy" / "c" / "linreg.h").read_text()
    declared = set(re.findall(r"^LINREG_API [^(]*?(linreg_\w+)\(", header, re.MULTILINE))
    words = [tool("nm", "binutils"), "--dynamic", "--defined-only", library._name]
    exported = {line.split()[-1] for line in subprocess.check_output(words, text=True).splitlines()}
    assert exported == declared == {*FUNCTIONS, "linreg_verify", "linreg_bench"}
    assert len(declared) == 13, "the number in deploy/c/README.md"


def predict(library, model, rows: np.ndarray) -> np.ndarray:
    """The predictions for rows of float32; a failure raises what the library says."""
    source, answer, line = CTensor(), CTensor(), ctypes.create_string_buffer(512)
    try:
        dims = (c_int64 * 2)(*rows.shape)
        assert library.linreg_allocate_tensor(source, FLOAT32, 2, dims, line), line.value
        ctypes.memmove(source.data, rows.ctypes.data, rows.nbytes)
        if not library.linreg_run(model, source, 1, answer, 1, line):
            raise ValueError(line.value.decode())
        assert (answer.type, answer.rank, answer.count, answer.bytes) == (FLOAT32, 2, len(rows), 4 * len(rows))
        return np.frombuffer(ctypes.string_at(answer.data, answer.bytes), np.float32).reshape(answer.dims[:2])
    finally:
        library.linreg_free_tensor(source)
        library.linreg_free_tensor(answer)


def expected(rows: np.ndarray) -> np.ndarray:
    path = REFERENCE / "penguins" / "model.onnx"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": rows})[0]


def test_threads_may_share_a_model(library, penguins):
    batches = [np.random.default_rng(seed).normal(100, 50, (257, 3)).astype(np.float32) for seed in range(4)]
    wanted = [expected(rows) for rows in batches]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            answers = list(threads.map(lambda rows: predict(library, penguins, rows), batches))
            assert all(np.array_equal(got, answer) for got, answer in zip(answers, wanted, strict=True))


def test_a_closed_model_is_an_error_and_no_crash(library, error):
    assert library.linreg_version(None) == b""
    assert library.linreg_output_count(None) == 0
    with pytest.raises(ValueError, match="the model is closed"):
        predict(library, None, np.zeros((1, 3), np.float32))
    assert library.linreg_bind(None, bytes(REFERENCE / "penguins"), 1, error) is None
    assert error.value == b"the model is closed"


def test_what_a_model_says_of_itself(library, penguins):
    assert library.linreg_version(penguins).decode() == onnxruntime.__version__
    assert library.linreg_output_count(penguins) == 1


def test_a_failed_call_leaves_the_model_as_it_was(library, penguins):
    rows = np.array([[39.1, 18.7, 181]], np.float32)
    with pytest.raises(ValueError, match=r"onnxruntime: .*Got: 2 Expected: 3"):
        predict(library, penguins, rows[:, :2].copy())
    assert np.array_equal(predict(library, penguins, rows), expected(rows))


@pytest.mark.parametrize("counts", [(0, 1), (2, 1), (1, 0), (1, 2)])
def test_another_number_of_inputs_or_outputs_is_refused(library, penguins, error, counts):
    inputs, outputs = counts
    tensors = (CTensor * 2)(), (CTensor * 2)()
    for tensor in tensors[0]:
        assert library.linreg_allocate_tensor(tensor, FLOAT32, 2, (c_int64 * 2)(1, 3), error)
    assert not library.linreg_run(penguins, tensors[0], inputs, tensors[1], outputs, error)
    assert b"the model 1" in error.value
    for tensor in (*tensors[0], *tensors[1]):
        library.linreg_free_tensor(tensor)


@pytest.mark.parametrize(
    ("element_type", "shape", "said"),
    [
        (8, [1], "elements have type 8"),
        (FLOAT32, [1] * 9, "has 9 axes"),
        (FLOAT32, [-1], "negative"),
        (FLOAT32, [2**40, 2**40], "huge"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(library, error, element_type, shape, said):
    tensor = CTensor()
    dims = (c_int64 * len(shape))(*shape)
    assert not library.linreg_allocate_tensor(tensor, element_type, len(shape), dims, error)
    assert said in error.value.decode()
    library.linreg_free_tensor(tensor)


def test_what_cannot_be_opened_is_null_and_one_line(library, penguins, error, tmp_path):
    for place in (tmp_path / "missing", Path("/" + "long/" * 1000)):
        for function in (library.linreg_open, library.linreg_open_bundle):
            error.value = b""
            assert function(bytes(place), error) is None
            assert error.value and b"\n" not in error.value
    assert library.linreg_bind(penguins, bytes(REFERENCE / "penguins"), 3, error) is None
    assert b"has no vectors of batch 3" in error.value
    assert library.linreg_bind(penguins, bytes(REFERENCE / "line"), 1, error) is None
    assert b"onnxruntime: " in error.value
    library.linreg_close(None)
    library.linreg_unbind(None)


def test_a_bound_call_may_be_made_often(library, penguins, error):
    call = library.linreg_bind(penguins, bytes(REFERENCE / "penguins"), 7, error)
    assert call, error.value
    assert all(library.linreg_call(call) for _ in range(1000))
    library.linreg_unbind(call)
