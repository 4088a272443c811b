"""The text of C source: exact numbers, escaped names, the same bytes everywhere, and what C cannot express."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import export.bundle.write
import export.formats.c_text
import linreg as package
from export.formats.c import to_c
from export.formats.c_text import header_of, read_c
from export.formats.source_code import comment
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import ExportError
from tests.c_sources import HOSTILE, NAMES, gcc, named, source_of, with_weight
from tests.export.bundle.test_path_leaks import HERE, traces


def test_weights_stand_as_hexadecimal_numbers_without_loss():
    source = source_of(6)
    values = [0.1, -0.0, 1.0, float(np.finfo(np.float32).smallest_subnormal), float(np.finfo(np.float32).max), -3.5]
    source.module.weight.data[0] = torch.tensor(values)
    text = to_c(source).decode()
    assert (
        "static const float linreg_weight[6] = {\n"
        "    0x1.99999ap-4f, -0x0p+0f, 0x1p+0f, 0x1p-149f,\n"
        "    0x1.fffffep+127f, -0x1.cp+1f};\n" in text
    )
    wide = source_of(1, dtype=torch.float64)
    wide.module.weight.data[0, 0] = 0.1
    assert "static const double linreg_weight[1] = {\n    0x1.999999999999ap-4};\n" in to_c(wide).decode()
    assert "fma(input" in to_c(wide).decode()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@given(data=st.data())
def test_every_finite_number_is_read_back_bit_for_bit(dtype, data):
    width = 32 if dtype == torch.float32 else 64
    numbers = st.floats(width=width, allow_nan=False, allow_infinity=False)
    values = data.draw(st.lists(numbers, min_size=1, max_size=9))
    source = source_of(len(values), dtype=dtype)
    source.module.weight.data[0] = torch.tensor(values, dtype=dtype)
    assert (
        read_c("model.c", to_c(source)).weights["weight"].tobytes() == source.module.weight.detach().numpy().tobytes()
    )


@pytest.mark.parametrize("names", [HOSTILE, *([name] for name in HOSTILE)], ids=ascii)
def test_hostile_names_are_data(tmp_path, names):
    check_names(tmp_path, names)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(st.one_of(st.characters(), st.sampled_from('*/?\\"\n<(0%'))), min_size=1, max_size=30))
def test_any_names_are_data(tmp_path, names):
    check_names(tmp_path, names)


def check_names(folder, names):
    """The strings have the very bytes of the names; the comment reads back as the metadata; the compiler is silent."""
    source = named(names)
    data = to_c(source)
    assert data.isascii()
    metadata = {key: value for key, value in read_c("model.c", data).metadata.items() if key != "parameters"}
    assert metadata == json.loads(json.dumps(source.metadata))
    raw = [name.encode("utf-8", "surrogatepass") for name in names]
    (folder / "model.c").write_bytes(data)
    (folder / "model.h").write_bytes(header_of(data))
    (folder / "main.c").write_text(NAMES.replace("BYTES", ", ".join(str(len(name)) for name in raw)))
    built = gcc(folder, "main.c", "model.c", "-o", "main", "-lm")
    assert (built.returncode, built.stderr) == (0, "")
    ran = subprocess.run([folder / "main"], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, b"".join(raw))
    symbols = subprocess.run(["nm", "-g", "--defined-only", "main"], cwd=folder, capture_output=True, text=True)
    assert "pwned" not in symbols.stdout
    assert "linreg_predict" in symbols.stdout


@pytest.mark.parametrize(
    ("part", "name"), [("_string", 'a"; int pwned; "'), ("json_text", "*/ int pwned; /*"), ("_string", '??/"')]
)
def test_without_its_escapes_the_source_breaks(tmp_path, monkeypatch, part, name):
    """The control: the tests above see a fault in either escape."""
    naive = {"_string": lambda text: f'"{text}"', "json_text": lambda value: json.dumps(value, ensure_ascii=False)}
    monkeypatch.setattr(export.formats.c_text if part == "_string" else comment, part, naive[part])
    with pytest.raises(AssertionError):
        check_names(tmp_path, [name])


def test_names_that_do_not_fit_the_columns_are_left_out():
    text = to_c(source_of(3, metadata={"features": ["a"], "target": ["b"]})).decode()
    assert "FEATURE_NAMES" not in text
    assert "TARGET_NAME" not in text


def test_another_folder_and_another_process_give_the_same_bytes(penguins, tmp_path):
    here = to_c(from_checkpoint(load(penguins)))
    code = (
        "import sys; from pathlib import Path; from linreg.checkpoint import load; from export.formats.c import to_c;"
        "from export.source.source import from_checkpoint;"
        "sys.stdout.buffer.write(to_c(from_checkpoint(load(Path(sys.argv[1])))))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(HERE), "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code, penguins], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert done.stdout == here
    assert [trace for trace in traces() if trace.encode() in here] == []
    for version in (torch.__version__, package.__version__, "20" + "26-"):
        assert version.encode() not in here


def test_the_prefix_is_that_of_every_name(penguins):
    text = to_c(from_checkpoint(load(penguins)), prefix="body_mass").decode()
    assert "void body_mass_predict(size_t batch" in text
    assert "BODY_MASS_FEATURES 3" in text
    code = text.partition("*/\n")[2]
    assert "linreg" not in code.lower()


@pytest.mark.parametrize("prefix", ["", "Caps", "_a", "a_", "a__b", "1a", "a-b", "a b", "é", "a\n"])
def test_a_prefix_that_is_no_name_is_refused(prefix):
    with pytest.raises(ExportError, match="--prefix: got"):
        to_c(source_of(), prefix=prefix)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: source_of(dtype=torch.float16), "takes no float16, expected float32 or float64"),
        (lambda: source_of(static=True), "takes any number of rows; leave out --static"),
        (lambda: source_of(2**21), "has 2097152 weights, expected 1 to 1048576; use onnx"),
        (lambda: with_weight(np.nan), "a weight is NaN or infinite"),
        (lambda: with_weight(np.inf), "a weight is NaN or infinite"),
    ],
)
def test_what_c_cannot_say_is_refused(make, message):
    with pytest.raises(ExportError, match=message):
        to_c(make())
