"""A hostile ONNX file costs one error line: not the process that asks, nor its memory, nor its time."""

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.runners.frames import BrokenFrameError, receive, send
from export.runners.guarded import FLOOR_BYTES, Limits, _Child, guarded_onnx_runner
from export.runners.onnxruntime import onnxruntime_runner
from linreg.errors import ModelError
from tests.cpu_seconds import cpu_seconds

SHORT = Limits(wall_s=20, cpu_s=1, memory_bytes=2**30)
ROW = np.ones((1, 3), np.float32)


def model(nodes, *, opset=18, functions=(), dtype=TensorProto.FLOAT, initializers=()) -> bytes:
    """A model with an input x of any rows and an output y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", dtype, None)],
        [numpy_helper.from_array(array, name) for name, array in initializers],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8).SerializeToString()


def constant(name, values, dtype=np.int64):
    return name, np.array(values, dtype)


def division_that_traps() -> bytes:
    """INT64_MIN / -1, with a divisor that comes from the input, so that it is not folded when it is loaded."""
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Neg", ["i"], ["minus"]),
        helper.make_node("Div", ["smallest", "minus"], ["y"]),
    ]
    return model(nodes, dtype=TensorProto.INT64, initializers=[constant("smallest", [-(2**63)])])


def loop(count: int, *body) -> bytes:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["condition"], ["go_on"]), *body],
        "body",
        [info("i", TensorProto.INT64, []), info("condition", TensorProto.BOOL, []), info("a", TensorProto.FLOAT, None)],
        [info("go_on", TensorProto.BOOL, []), info("b", TensorProto.FLOAT, None)],
    )
    return model(
        [helper.make_node("Loop", ["count", "yes", "x"], ["y"], body=graph)],
        initializers=[constant("count", count), constant("yes", True, np.bool_)],
    )


def endless_loop() -> bytes:
    return loop(2**62, helper.make_node("Neg", ["a"], ["b"]))


def doubling_loop() -> bytes:
    return loop(60, helper.make_node("Concat", ["a", "a"], ["b"], axis=0))


def doubling_functions() -> bytes:
    """28 functions that call the next one twice: 2^28 nodes, once they are inlined."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "F28", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], opsets)]
    for place in range(28):
        called = [
            helper.make_node(f"F{place + 1}", [one], [other], domain="own") for one, other in (("a", "m"), ("m", "b"))
        ]
        functions.append(helper.make_function("own", f"F{place}", ["a"], ["b"], called, opsets))
    return model([helper.make_node("F0", ["x"], ["y"], domain="own")], functions=functions)


def giant_constant() -> bytes:
    """8 GB of zeros, whose sizes come from the input."""
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["i"], ["one"], keepdims=0),
        helper.make_node("Mul", ["one", "sizes"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["y"]),
    ]
    return model(nodes, initializers=[constant("sizes", [2, 2**30])])


BOMBS = {
    "a division that traps": (division_that_traps, "onnxruntime was killed by SIGFPE on this file"),
    "an endless loop": (endless_loop, "onnxruntime used more than 1 s of CPU on this file"),
    "a doubling loop": (
        doubling_loop,
        "onnxruntime needs more memory for this file than its limit of 1073741824 bytes",
    ),
    "doubling functions": (doubling_functions, r"used more than 1 s of CPU|needs more memory"),
    "a giant constant": (
        giant_constant,
        "onnxruntime needs more memory for this file than its limit of 1073741824 bytes",
    ),
}


def affine() -> bytes:
    weight, bias = np.array([[4.8, 18.7, 50.7]], np.float32), np.array([-6500.5], np.float32)
    node = helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=1)
    return model([node], initializers=[("weight", weight), ("bias", bias)])


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_one_line_again_and_again(name):
    build, message = BOMBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runner = guarded_onnx_runner("bomb.onnx", build(), limits=SHORT)
    texts = []
    for _ in range(2):
        with pytest.raises(ModelError, match=message) as caught:
            runner.bind((ROW,)).outputs()
        texts.append(str(caught.value))
    assert texts[0].startswith("bomb.onnx: ")
    assert "\n" not in texts[0]
    if "this file" in texts[0]:
        assert texts[0] == texts[1], "a dead child is not started again"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_child_that_does_not_answer_is_ended_and_reaped():
    before = children()
    runner = guarded_onnx_runner("m.onnx", endless_loop(), limits=Limits(wall_s=3, cpu_s=100))
    with pytest.raises(ModelError, match=r"^m\.onnx: onnxruntime did not answer within 3 s on this file"):
        runner.bind((ROW,)).outputs()
    assert children() <= before


def test_it_answers_as_the_runner_in_this_process():
    data = affine()
    guarded, plain = guarded_onnx_runner("m", data), onnxruntime_runner("m", data)
    before = children()
    for rows in (0, 1, 7, 4096):
        inputs = (np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32),)
        (got,), (wanted,) = guarded.bind(inputs).outputs(), plain.bind(inputs).outputs()
        assert (got.dtype, got.shape, got.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    swapped = inputs[0].astype(">f4")
    assert guarded.bind((swapped,)).outputs()[0].tobytes() == wanted.tobytes()
    found, expected = guarded.parameters(), plain.parameters()
    assert {key: value.tobytes() for key, value in found.items()} == {
        key: value.tobytes() for key, value in expected.items()
    }
    assert guarded.folds
    assert len(children() - before) == 1, "one child for all questions"
    del guarded
    gc.collect()
    assert children() <= before


def test_weights_in_another_file_are_not_read(tmp_path, monkeypatch):
    """Of a model from memory onnxruntime looks for them in the current folder."""
    monkeypatch.chdir(tmp_path)
    np.ones(400, np.float32).tofile("w.bin")
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[400], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 400]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", infos[:1], infos[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    data = model.SerializeToString()
    for make in (guarded_onnx_runner, onnxruntime_runner):
        with pytest.raises(ModelError, match="External data path"):
            make("m", data).bind((np.ones((1, 400), np.float32),)).outputs()


def test_a_refused_input_is_an_error_and_the_next_one_is_answered():
    runner = guarded_onnx_runner("m", affine())
    with pytest.raises(ModelError, match=r"^m: onnxruntime: .*Got: 4 Expected: 3"):
        runner.bind((np.ones((1, 4), np.float32),)).outputs()
    with pytest.raises(ModelError, match="m: "):
        runner.bind((ROW, ROW)).outputs()
    assert runner.bind((ROW,)).outputs()[0].shape == (1, 1)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(1000)], ids=["empty", "text", "zeros"])
def test_what_is_no_model_is_refused_by_the_child(data):
    runner = guarded_onnx_runner("m.onnx", data)
    with pytest.raises(ModelError, match=r"^m\.onnx: onnxruntime cannot load it: "):
        runner.parameters()


def test_strings_are_refused():
    text = helper.make_tensor("t", TensorProto.STRING, [1], [b"text"])
    data = model([helper.make_node("Constant", [], ["y"], value=text)], dtype=TensorProto.STRING)
    with pytest.raises(ModelError, match="output 0 is object, expected an array of numbers"):
        guarded_onnx_runner("m", data).bind((ROW,)).outputs()


def test_the_child_loads_no_torch_and_writes_no_file(tmp_path):
    code = (
        "import sys, resource; from export.runners import guarded_child; "
        "sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_child_ends_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "m.onnx").write_bytes(endless_loop())
    code = (
        "import sys, numpy as np; from pathlib import Path; from export.runners.guarded import guarded_onnx_runner;"
        "runner = guarded_onnx_runner('m', Path('m.onnx').read_bytes());"
        "runner.bind((np.ones((1, 3), np.float32),)).outputs()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while not (found := listed.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.05)
    while time.monotonic() < deadline and cpu_seconds(found[0]) < 0.5:
        time.sleep(0.05)  # it has told Linux by now that it ends with its parent
    process.send_signal(signal.SIGKILL)
    process.wait()
    while _runs(found[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(found[0])


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_memory_is_derived_from_file_inputs_and_what_there_is(monkeypatch):
    import export.runners.guarded

    child = _Child("m", [np.zeros(10, np.uint8)], Limits())
    monkeypatch.setattr(export.runners.guarded, "available_bytes", lambda: 2**40)
    assert child._memory_bytes(100) == FLOOR_BYTES + 64 * 110
    monkeypatch.setattr(export.runners.guarded, "available_bytes", lambda: 2**30)
    assert child._memory_bytes(100) == 3 * 2**28


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"{}", b'{"arrays": 3}', b'{"arrays": [{"dtype": "|O", "shape": [1]}]}', b"[" * 100_000]
    + [b'{"arrays": [{"dtype": "<f4", "shape": [%s]}]}' % shape for shape in (b"-1", b"1e3", b"true", b"9" * 30)],
    ids=lambda header: repr(header[:50]),
)
def test_a_frame_that_is_none_is_refused(header):
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(len(header).to_bytes(8, "big") + header)
        with pytest.raises(BrokenFrameError, match="header"):
            receive(ours, within_s=1, max_bytes=100)
        theirs.sendall((2**40).to_bytes(8, "big"))
        with pytest.raises(BrokenFrameError, match="bytes, expected at most"):
            receive(ours, within_s=1, max_bytes=100)
        with pytest.raises(BrokenFrameError, match="cannot be sent"):
            send(ours, {}, [np.array([None])], within_s=1)
        send(ours, {}, [np.zeros(26, np.float32)], within_s=1)
        with pytest.raises(BrokenFrameError, match="104 bytes, expected at most 100"):
            receive(theirs, within_s=1, max_bytes=100)


@pytest.mark.parametrize("array", [np.array(3.0), np.zeros((0, 3)), np.ones((2, 3), order="F"), np.array([True])])
def test_an_array_arrives_as_it_is(array):
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, {"a": 1}, [array, array[::-1] if array.ndim else array], within_s=1)
        header, (first, second) = receive(theirs, within_s=1, max_bytes=1000)
    assert header["a"] == 1
    np.testing.assert_array_equal(first, array, strict=True)
    np.testing.assert_array_equal(second, array[::-1] if array.ndim else array, strict=True)
