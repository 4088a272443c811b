"""`linreg-c predict`: CSV from stdin, columns by name, Python's bytes, and what is wrong told in one line."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

from export.bundle.vectors import read_vectors
from tests.conftest import PENGUINS
from tests.deploy.bundles import FEATURES, run
from tests.deploy.c_builds import BUILDS
from tests.deploy.mutations import mutations
from tests.deploy.penguin_predictions import MODEL, first_prediction, penguin_rows, predicted, pythons_predictions


def predict(program: Path, text: str | bytes, model: Path = MODEL):
    return run(program, "predict", model, text=text)


def test_predictions_of_shuffled_columns_have_pythons_bytes(program):
    rows = penguin_rows()
    names = [*rows[0]]
    random.Random(5).shuffle(names)
    header = ",".join(f'"{name}"' for name in names)
    text = "\r\n".join([header, *(",".join(row[name] for name in names) for row in rows)])
    ended = predict(program, "\ufeff" + text)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(predicted(ended.stdout)) == 342
    assert predicted(ended.stdout).tobytes() == pythons_predictions(rows).tobytes()


def test_many_rows_without_a_header_are_taken_in_order(programs):
    """More than one call: 4 times 342 rows is more than the 1024 of a call, and no multiple of it."""
    rows = penguin_rows() * 4
    ended = predict(programs["gcc"], "".join(",".join(row[name] for name in FEATURES) + "\n" for row in rows))
    assert predicted(ended.stdout).tobytes() == pythons_predictions(rows).tobytes()


def test_predict_is_a_stream_without_a_pool_of_threads(programs):
    """Answers come while stdin is open; onnxruntime 1.32 has one thread of its own beside, idle."""
    words = [programs["gcc"], "predict", MODEL]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"39.1,18.7,181\n" * 4000)
        process.stdin.flush()
        assert process.stdout.readline().decode() == f"{first_prediction()}\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
        rest = process.stdout.read()
    assert int(status.split("\nThreads:")[1].split()[0]) <= 2
    assert (process.returncode, rest.count(b"\n")) == (0, 3999)


HEADER = ",".join(FEATURES)
BAD_ROWS = {
    "": "is empty",
    f"{HEADER}\n1,2,3\n1,NA,3\n": "row 2, column 2 'bill_depth_mm': got 'NA'",
    "x,flipper_length_mm,bill_depth_mm,bill_length_mm\na,1,2,3z\n": "row 1, column 4 'bill_length_mm': got '3z'",
    f"{HEADER}\n1,2,1e999\n": "row 1, column 3 'flipper_length_mm': got '1e999', expected a finite number",
    f"{HEADER}\n1,2,0x1\n": "got '0x1'",
    f"{HEADER}\n1,2\n": "row 1 has 2 cells, expected 3",
    "1,2\n": "the first row has 2 cells, expected 3",
    "bill_length_mm,bill_depth_mm\n1,2\n": "has no column 'flipper_length_mm'",
    f"{HEADER},bill_depth_mm\n1,2,3,4\n": "has 2 columns 'bill_depth_mm'",
    f'{HEADER}\n1,2,"3\n': "row 1: a quote is not closed",
    f"{HEADER}\n1,2,3\0\n": "row 1: it has a zero byte",
    f"{HEADER}\n1,2,\x1b[31m\n": "got ' [31m'",
}


@pytest.mark.parametrize("text", BAD_ROWS)
def test_bad_rows_are_told_in_one_line(program, text):
    ended = predict(program, text)
    assert ended.returncode == 1
    message = ended.stderr.decode()
    assert message.startswith("error: stdin: ") and message.count("\n") == 1
    assert BAD_ROWS[text] in message


def test_a_model_that_is_no_table_of_one_input_is_refused(program, module_bundles):
    ended = predict(program, "1,2\n", module_bundles["mixed"] / "model.onnx")
    assert ended.returncode == 1 and b"2 inputs and 3 outputs" in ended.stderr
    ended = predict(program, "1,2,3,4,5,6\n", module_bundles["float16"] / "model.onnx")
    assert ended.returncode == 1 and b"expected float32 or float64" in ended.stderr


def test_predictions_in_float64_bring_back_every_bit(program, module_bundles):
    bundle = module_bundles["float64"]
    vectors = list(read_vectors(bundle))[2]
    text = "\n".join(",".join(map(repr, row)) for row in vectors.inputs[0].tolist())
    ended = predict(program, text, bundle / "model.onnx")
    found = np.array([float(line) for line in ended.stdout.split()])
    assert found.tobytes() == vectors.outputs[0].tobytes()


@pytest.mark.parametrize("build", BUILDS[1:])
def test_mutated_rows_never_break_predict(programs, build):
    lines = PENGUINS.read_bytes().replace(b"NA", b"1").splitlines()[:12]
    text = b"\r\n".join([*lines, b'"a ""quoted"" cell",x,1,2,3,4,5,6'])
    codes = [predict(programs[build], content).returncode for content in mutations(text, 25, seed=3)]
    assert set(codes) == {0, 1}
