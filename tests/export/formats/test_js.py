"""JavaScript: proved from disk, exact weights, escaped names, the functions of Math, and planted faults."""

import functools
import json
import math
import re
import subprocess

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import export.bundle.build
import export.formats.js_text
from export.bundle.vectors import check_vectors
from export.formats.js import to_js
from export.formats.js_functions import ERF, decimals
from export.formats.js_text import read_js
from export.formats.names import Format
from export.formats.source_code import comment
from export.formats.source_code.reading import read_steps
from export.proof.verify import verify
from export.runners.js import js_runner
from export.source.source import Source, from_checkpoint
from linreg.checkpoint import load
from linreg.errors import ExportError, MismatchError, ModelError
from tests.artifacts import write_alone
from tests.c_sources import HOSTILE, named, source_of, with_weight
from tests.deploy.bundles import tool
from tests.deploy.standalone import REFERENCE
from tests.feed_forward_networks import NETWORKS, exported, network
from tests.feed_forward_networks import source_of as network_source
from tests.steps_in_numpy import computed


@functools.cache
def written(source: Source) -> bytes:
    return to_js(source)


def node(folder, code: str) -> subprocess.CompletedProcess[str]:
    words = [tool("node", "nodejs"), "--input-type=module", "--eval", code]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def exports_of(folder, data: bytes) -> dict[str, object]:
    """What node sees in the module."""
    (folder / "model.mjs").write_bytes(data)
    done = node(folder, "import * as model from './model.mjs'; console.log(JSON.stringify(model))")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_proved_and_every_weight_is_found(name, tmp_path):
    source, data = exported(name)
    artifact = write_alone(source, Format.JS, tmp_path)
    weights = artifact.verification.weights
    assert weights is not None
    assert weights.found >= 6
    assert artifact.verification.worst_error < 1
    assert artifact.details["run_with"].startswith("Node.js v")
    text = read_js("model.mjs", artifact.path.read_bytes())
    assert not text.affine
    assert text.input_shape == source.inputs[0].shape[1:]
    assert text.output_shape == read_steps(data, "js").output.shape
    (rows,) = source.random_inputs({"batch": 9}, 3.0, 3)
    (found,) = js_runner("model.mjs", artifact.path.read_bytes()).bind((rows,)).outputs()
    np.testing.assert_allclose(found, computed(read_steps(data, "js"), rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["penguins", "line"])
def test_committed_bundles_have_the_bits_of_their_vectors(name):
    bundle = REFERENCE / name
    result = check_vectors(js_runner("model.mjs", to_js(from_checkpoint(load(bundle)))), bundle)
    assert (result.bytes_equal, result.worst_error) == (True, 0)
    assert result.cases >= 5


def gelu() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8), nn.GELU("tanh"), nn.Linear(8, 2))


@pytest.mark.parametrize(
    ("make", "features"), [(lambda: network("mlp"), 16), (lambda: network("reshaped"), 4), (gelu, 4)]
)
def test_float64_has_no_rounding_to_float32(make, features, tmp_path):
    """No f(...) rounds, and the numbers of the module, such as the epsilon of a norm, are those of float64."""
    source = network_source(make(), f"x=float64[batch,{features}]")
    artifact = write_alone(source, Format.JS, tmp_path)
    assert artifact.verification.worst_error < 1
    text = artifact.path.read_text().partition("*/")[2]
    assert "f(" not in text.replace("erf(", "")
    assert "fround" not in text
    assert "Float32Array" not in text


def test_weights_are_read_back_without_loss_by_python_and_by_node(tmp_path):
    source = source_of(7)
    tiny, most = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max
    values = np.array([0.1, -0.0, 1.0, tiny, most, -3.5, 7.038531e-26], np.float32)
    source.module.weight.data[0] = torch.from_numpy(values)
    data = to_js(source)
    assert b"0.1, -0.0, 1.0, 1e-45, 3.4028235e+38, -3.5, " in data
    assert next(iter(read_js("model.mjs", data).weights.values())).tobytes() == values.tobytes()
    (tmp_path / "model.mjs").write_bytes(data + b"export const hex = Buffer.from(weight.buffer).toString('hex');")
    done = node(tmp_path, "import { hex } from './model.mjs'; console.log(hex)")
    assert bytes.fromhex(done.stdout) == values.tobytes()


@settings(max_examples=200, deadline=None)
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float32_is_exact_though_javascript_reads_a_double_first(value):
    (text,) = decimals(np.array([value], np.float32))
    assert np.float32(float(text)).tobytes() == np.float32(value).tobytes()


def test_the_error_function_is_that_of_the_c_library(tmp_path):
    places = [*map(float, np.linspace(-7, 7, 1401)), 1e-300, 1.4999999, 1.5000001, 5.999999, 6.000001, 1e300]
    done = node(tmp_path, f"{ERF}\nconsole.log(JSON.stringify({places}.map(erf))); console.log(erf(NaN), erf(-0))")
    values, special = done.stdout.splitlines()
    assert special == "NaN -0"
    for x, found in zip(places, json.loads(values), strict=True):
        assert found == pytest.approx(math.erf(x), rel=1e-15, abs=0)


def test_names_are_data(tmp_path):
    check_names(tmp_path, HOSTILE)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(st.one_of(st.characters(), st.sampled_from('*/`$\\"\n<{\u2028'))), min_size=1, max_size=30)
)
def test_any_names_are_data(tmp_path, names):
    check_names(tmp_path, names)


def check_names(folder, names):
    """The module exports the names; the comment reads back as the metadata; nothing else happens."""
    source = named(names)
    data = to_js(source)
    assert data.isascii()
    assert b"</script" not in data.lower()
    metadata = {key: value for key, value in read_js("model.mjs", data).metadata.items() if key != "parameters"}
    assert metadata == json.loads(json.dumps(source.metadata))
    seen = exports_of(folder, data)
    assert seen["featureNames"] == names
    assert "pwned" not in seen


@pytest.mark.parametrize("name", ['"]; export const pwned = 1; //', "*/ export const pwned = 1; /*"])
def test_without_their_escapes_the_module_breaks(tmp_path, monkeypatch, name):
    """The control: the tests above see a fault in either escape."""
    naive = lambda value: json.dumps(value).replace('\\"', '"')  # noqa: E731
    for module in (comment, export.formats.js_text):
        monkeypatch.setattr(module, "json_text", naive)
    with pytest.raises((AssertionError, ModelError)):
        check_names(tmp_path, [name])


FAULTS = {
    "dropped bias": (r"bias === null \? sum : sum \+ bias\[output\]", "sum"),
    "swapped features": (r"from\[start \+ feature\]", "from[start + features - 1 - feature]"),
    "wrong activation": (r"return x < 0 \? 0 : x", "return x"),
    "row left out": (r"row < batch", "row + 1 < batch"),
    "scratch too far": (r"scratch\[32 \+ place\] =", "scratch[31 + place] ="),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_not_kept(fault, tmp_path, monkeypatch):
    source, _ = exported("mlp")
    planted, count = re.subn(*FAULTS[fault], written(source).decode(), count=1)
    assert count == 1
    monkeypatch.setattr(export.bundle.build, "build", lambda *_args, **_options: planted.encode())
    with pytest.raises(MismatchError, match=r"model\.mjs: "):
        write_alone(source, Format.JS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.mjs.failed-inputs.npz"]


@pytest.mark.parametrize("name", ["penguins", "line"])
@pytest.mark.parametrize("fault", ["dropped bias", "swapped features"])
def test_a_planted_fault_in_an_affine_module_is_seen_by_the_vectors(name, fault):
    if (name, fault) == ("line", "swapped features"):
        return  # it has one feature
    bundle = REFERENCE / name
    planted, count = re.subn(*FAULTS[fault], to_js(from_checkpoint(load(bundle))).decode(), count=1)
    assert count == 1
    with pytest.raises(MismatchError):
        check_vectors(js_runner("model.mjs", planted.encode()), bundle)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_bit_of_any_weight_is_seen_in_the_text(name):
    source, _ = exported(name)
    text = written(source).decode()
    arrays = re.findall(r"new Float32Array\(\[\n  ([^,]+),", text)
    for number in {arrays[0], arrays[-1]}:
        flipped = (np.float32(number).view(np.uint32) ^ np.uint32(1)).view(np.float32)
        damaged = text.replace(f"\n  {number},", f"\n  {flipped},", 1)
        assert damaged != text
        with pytest.raises(MismatchError, match="differs from the state_dict"):
            verify(js_runner("model.mjs", damaged.encode()), source, budget_s=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: source_of(dtype=torch.float16), "js: takes no float16, expected float32 or float64"),
        (lambda: source_of(static=True), "js: the function takes any number of rows; leave out --static"),
        (lambda: source_of(2**21), "js: the module has 2097152 weights, expected 1 to 1048576; use onnx"),
        (lambda: with_weight(np.nan), "js: a weight is NaN or infinite"),
        (lambda: network_source(nn.Sequential(nn.Linear(4, 4), nn.Mish()), "x=float32[batch,4]"), "js: operator Mish"),
    ],
)
def test_what_cannot_be_written_is_refused(make, message):
    with pytest.raises(ExportError, match=message):
        to_js(make())


def test_no_dependency_and_some_kilobytes():
    for name in NETWORKS:
        data = written(exported(name)[0])
        assert b"import" not in data.partition(b"*/")[2]
        assert len(data) < 20_000


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_damaged_text_is_an_error_of_one_line(data):
    text = bytearray(written(exported("mixer")[0]))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_js("model.mjs", bytes(text[: data.draw(st.integers(0, len(text)))]))
    except ModelError as error:
        assert "\n" not in str(error)
