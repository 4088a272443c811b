"""deploy/js/module.mjs reads a model.mjs without running it; in Node, against what Python reads."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.deploy.javascript import WEB, mutations, node

READ = """
import { readFileSync } from 'node:fs';
import { LinregError } from '../js/errors.mjs';
import { readModule } from '../js/module.mjs';
const { texts } = JSON.parse(readFileSync(0));
const read = (text) => {
  try {
    const { units, ...model } = readModule(Buffer.from(text, 'base64'), 'model.mjs');
    return { ...model, units: [...units] };
  } catch (error) {
    return error instanceof LinregError ? error.message : `unexpected: ${error.stack}`;
  }
};
console.log(JSON.stringify(texts.map(read)));
"""


def read(*texts: bytes) -> list:
    from base64 import b64encode

    work = json.dumps({"texts": [b64encode(text).decode() for text in texts]})
    ended = node("--input-type=module", "-e", READ, data=work.encode(), folder=WEB)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_it_reads_names_shapes_and_exact_weights(javascript_bundle: Path):
    (model,) = read((javascript_bundle / "model.mjs").read_bytes())
    graph = onnx.load(javascript_bundle / "model.onnx").graph
    weight, bias = (numpy_helper.to_array(tensor) for tensor in graph.initializer)
    assert model == {
        "features": ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"],
        "target": "body_mass_g",
        "units": [],
        "inputs": [{"name": "input", "type": "float32", "dims": [None, 3]}],
        "outputs": [{"name": "output", "type": "float32", "dims": [None, 1]}],
        "affine": model["affine"],
    }
    assert np.array(model["affine"]["weight"], np.float32).tobytes() == weight.tobytes()
    assert np.float32(model["affine"]["bias"]) == bias[0]


CHANGES = {
    "a batch that is fixed": ('["batch", 3]', "[7, 3]"),
    "an axis without a size": ('["batch", 3]', '["batch", "columns"]'),
    "an axis of no size": ('["batch", 3]', '["batch", 0]'),
    "another type": ('"dtype": "float32", "name": "input"', '"dtype": "int64", "name": "input"'),
    "two types": ('"dtype": "float32", "name": "input"', '"dtype": "float64", "name": "input"'),
    "two inputs": ('"inputs": [', '"inputs": [{"dtype": "float32", "name": "more", "shape": ["batch", 3]}, '),
    "no outputs": ('"outputs": [', '"outputs": null, "others": ['),
    "names that are none": ('"features": [', '"features": [1, '),
    "a target that is none": ('"target": "body_mass_g"', '"target": {}'),
    "units that are none": ('"target":', '"units": {"x": 3}, "target":'),
    "no JSON": ('"target":', '"target"'),
    "another first line": ("exported by linreg", "written by me"),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_what_is_not_of_linreg_is_refused_in_a_sentence(javascript_bundle: Path, fault):
    text = (javascript_bundle / "model.mjs").read_text()
    changed = text.replace(*CHANGES[fault], 1)
    assert changed != text
    (said,) = read(changed.encode())
    assert said.startswith("model.mjs: is not JavaScript of linreg: ") and said.endswith("; export it again")


def test_damaged_modules_are_refused_in_one_line(javascript_bundle: Path):
    damaged = mutations((javascript_bundle / "model.mjs").read_bytes()[:900], 300, seed=16)
    found = read(*damaged, b"", b"\xff")
    refused = [said for said in found if isinstance(said, str)]
    assert len(refused) > 100
    assert all(said.startswith("model.mjs: is not JavaScript of linreg: ") and "\n" not in said for said in refused)
