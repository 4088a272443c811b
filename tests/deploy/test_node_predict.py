"""`node cli.mjs predict`: CSV as a stream, columns by name, Python's bytes, and what is wrong told in one line."""

import os
import random
import subprocess
import time

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.conftest import PENGUINS
from tests.deploy.bundles import FEATURES, tool
from tests.deploy.javascript import NODE, install, mutations, node
from tests.deploy.penguin_predictions import MODEL, penguin_rows, predicted, pythons_predictions

HEADER = ",".join(FEATURES)


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(NODE)


def predict(text: str | bytes, model=MODEL):
    return node("cli.mjs", "predict", model, data=text.encode() if isinstance(text, str) else text)


def test_predictions_of_shuffled_columns_have_pythons_bytes():
    rows = penguin_rows()
    names = [*rows[0]]
    random.Random(5).shuffle(names)
    header = ",".join(f'"{name}"' for name in names)
    text = "\r\n".join([header, *(",".join(row[name] for name in names) for row in rows)])
    ended = predict("\ufeff" + text)
    assert (ended.returncode, ended.stderr, ended.stdout.count(b"\n")) == (0, b"", 342)
    assert predicted(ended.stdout).tobytes() == pythons_predictions(rows).tobytes()


def test_many_chunks_without_a_header_are_taken_in_order():
    """More than 64 KiB, so that rows are cut between chunks."""
    rows = penguin_rows() * 30
    text = "".join(",".join(row[name] for name in FEATURES) + "\n" for row in rows)
    assert len(text) > 2**17
    assert predicted(predict(text).stdout).tobytes() == pythons_predictions(rows).tobytes()


def test_predictions_in_float64_bring_back_every_bit(tmp_path):
    model = onnx.load(MODEL)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float64) / 3
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    values = np.random.default_rng(0).normal(0, 100, (500, 3))
    (wanted,) = session.run(None, {"input": values})
    ended = predict("\n".join(",".join(map(repr, row)) for row in values.tolist()), tmp_path / "model.onnx")
    assert np.array([float(line) for line in ended.stdout.split()]).tobytes() == wanted.tobytes()


BAD_ROWS = {
    "": "is empty",
    f"{HEADER}\n1,2,3\n1,NA,3\n": "row 2, column 2 'bill_depth_mm': got 'NA', expected a finite number",
    "x,flipper_length_mm,bill_depth_mm,bill_length_mm\na,1,2,3z\n": "row 1, column 4 'bill_length_mm': got '3z'",
    f"{HEADER}\n1,2,1e999\n": "row 1, column 3 'flipper_length_mm': got '1e999'",
    f"{HEADER}\n1,2,0x1\n": "got '0x1'",
    f"{HEADER}\n1,2\n": "row 1: got 2 cells, expected 3",
    "1,2\n": "has 2 columns and no header, expected the model's 3",
    "bill_length_mm,bill_depth_mm\n1,2\n": "has no column 'flipper_length_mm'",
    f"{HEADER},bill_depth_mm\n1,2,3,4\n": "names the column 'bill_depth_mm' twice",
    f'{HEADER}\n1,2,"3\n': "ends inside a quoted cell",
    f'{HEADER}\n1,2,"3"4\n': "a row cannot be read",
    f"{HEADER}\n1,2,\x1b[31m\n": "got '\\u{1b}[31m'",
    f"{HEADER}\n1,2,{'9' * 2**21}\n": "is longer than",
    f"{HEADER}\n1e30,2,3e38\n": "row 1 gives Infinity",
}


@pytest.mark.parametrize("text", BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_bad_rows_are_told_in_one_line(text):
    ended = predict(text)
    message = ended.stderr.decode()
    assert ended.returncode == 1
    assert message.startswith("error: stdin: ") and message.count("\n") == 1
    assert BAD_ROWS[text] in message


def test_text_that_is_not_utf8_is_refused():
    ended = predict(HEADER.encode() + b"\n1,2,\xff\n")
    assert ended.returncode == 1 and b"is not UTF-8" in ended.stderr


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x08\x08\x12", MODEL.read_bytes()[:300]])
def test_what_is_no_model_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    ended = predict("1,2,3\n", tmp_path / "model.onnx")
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (1, b"", 1)
    assert ended.stderr.startswith(b"error: ") and b"model.onnx: " in ended.stderr


def test_mutated_rows_never_break_predict():
    lines = PENGUINS.read_bytes().replace(b"NA", b"1").splitlines()[:12]
    text = b"\r\n".join([*lines, b'"a ""quoted"" cell",x,1,2,3,4,5,6'])
    ended = [predict(content) for content in mutations(text, 20, seed=3)]
    assert {one.returncode for one in ended} == {0, 1}
    assert all(one.stderr.count(b"\n") == one.returncode for one in ended)


def test_a_reader_that_goes_away_is_no_error():
    text = (HEADER + "\n" + "39.1,18.7,181\n" * 100_000).encode()
    command = [tool("node", "nodejs"), "cli.mjs", "predict", str(MODEL)]
    with subprocess.Popen(
        command, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        try:
            process.stdin.write(text)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


def test_no_more_is_read_than_is_written():
    """Nobody reads the predictions, so that soon no more rows may be taken."""
    command = [tool("node", "nodejs"), "cli.mjs", "predict", str(MODEL)]
    with subprocess.Popen(command, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        os.set_blocking(process.stdin.fileno(), False)
        rows, taken, last = b"39.1,18.7,181\n" * 4000, 0, time.monotonic()
        while time.monotonic() - last < 2 and taken < 2**26:
            try:
                taken += os.write(process.stdin.fileno(), rows)
                last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.02)
        process.kill()
    assert 2**16 <= taken < 2**22, taken
