"""deploy/node as a module: its rule is that of Python, its types hold, and a product can use it."""

import json

import numpy as np
import onnx
import pytest

from export.bundle.vectors import Vectors
from export.proof.comparison import compare_output
from linreg.errors import LinregError
from tests.deploy.bundles import REFERENCE, ROOT, copy_of, write_tensor
from tests.deploy.javascript import NODE, install, node, seal
from tests.deploy.penguin_predictions import first_prediction


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(NODE)


COMPARE = """
import { readFileSync } from 'node:fs';
import { compare } from '../js/compare.mjs';
import { readTensor } from '../js/tensor.mjs';
const read = (name) => readTensor(readFileSync(`${process.argv[1]}/${name}.pb`), name);
const { worst, bytesEqual, failure } = compare(read('got'), read('wanted'), read('allowed'));
console.log(JSON.stringify([worst === Infinity ? 'inf' : worst, bytesEqual, failure]));
"""


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("fault", [None, "class", "sign", "error"])
def test_the_rule_is_that_of_python(tmp_path, kind, fault):
    random = np.random.default_rng(0)
    wanted = random.normal(0, 1000, (50, 2)).astype(kind)
    got, allowed = wanted.copy(), np.full(wanted.shape, 2.0)
    if kind != "int64":
        got += np.asarray(1.5, kind)
        got[0, 0], wanted[0, 0] = np.nan, np.nan
        got[1, 0], wanted[1, 0], allowed[1, 0] = np.nan, np.inf, np.inf
        got[2, 0], wanted[2, 0] = -np.inf, -np.inf
        got[3, 0], wanted[3, 0], allowed[3, 0] = -0.0, 0.0, 0.0
        if fault == "sign":
            got[2, 0] = np.inf
        elif fault == "class":
            got[7, 1] = np.nan
    if fault == "error" or (fault and kind == "int64"):
        got[9, 1] = wanted[9, 1] + 3
    for name, array in (("got", got), ("wanted", wanted), ("allowed", allowed)):
        write_tensor(tmp_path / f"{name}.pb", array)
    worst, equal, failure = json.loads(node("--input-type=module", "-e", COMPARE, tmp_path).stdout)
    assert equal is (got.tobytes() == wanted.tobytes())
    vectors = Vectors(name="here", inputs=(), outputs=(wanted,), allowed=(allowed,))
    try:
        expected = compare_output("here", got, vectors.expected()[0])
    except LinregError:
        assert fault is not None and failure.startswith("row ")
    else:
        assert fault is None and failure is None and worst == expected


READ = """
import { readTensor } from '../js/tensor.mjs';
const told = (hex) => {
  try {
    return readTensor(Uint8Array.from(Buffer.from(hex, 'hex')), 'x.pb').dims.join();
  } catch (error) {
    return `${error.constructor.name}: ${error.message}`;
  }
};
console.log(JSON.stringify(process.argv.slice(1).map(told)));
"""
TENSORS = {
    "080210014a080000803f00000040": "2",
    "080310014a080000803f00000040": "has 8 bytes of numbers, expected 12 for float32 of shape [3]",
    "080210014a090000803f00000040": "9 bytes announced, 8 left at byte 6 of 14",
    "080210014affffffffffffffffff01": "18446744073709552000 bytes announced, 0 left at byte",
    "0802100180": "cut off at byte 5 of 5",
    "08ffffffffffffffffff011001": "expected -4 for float32 of shape [-1]",
    "08ffffffffffffffffffff011001": "a number of more than 10 bytes",
    "080210084a00": "has tensor type 8, expected numbers",
    "0802100125000080bf25000080bf": "expected 8 for float32 of shape [2] as raw_data",
    "080210014a0800000000000000007001": "its numbers stand in another file",
    "0a02100110014a00": "got bytes or a huge number where a whole number stands",
    "0f": "wire type 7",
    "00": "field 0",
}


def test_every_length_in_a_tensor_is_checked():
    found = json.loads(node("--input-type=module", "-e", READ, *TENSORS).stdout)
    for told, wanted in zip(found, TENSORS.values(), strict=True):
        assert told == wanted or (told.startswith("LinregError: x.pb: ") and wanted in told), (told, wanted)


USE = """
import { load, verify } from './linreg.mjs';
const model = await load(`${process.argv[1]}/model.onnx`);
const penguin = { flipper_length_mm: 181, bill_length_mm: 39.1, bill_depth_mm: 18.7, year: 2007 };
const [named] = await model.predict([penguin]);
const ordered = await model.predict([[39.1, 18.7, 181], Float32Array.of(39.5, 17.4, 186)]);
const refused = [[[1, 2]], [{ bill_length_mm: 1 }], [['1', '2', '3']]];
const messages = await Promise.all(refused.map((rows) => model.predict(rows).catch((error) => error.message)));
const { target, units } = model;
const { passed } = await verify(process.argv[1]);
await model.release();
console.log(JSON.stringify({ named, ordered: [...ordered], messages, target, units: [...units], passed }));
"""


def test_a_product_loads_predicts_and_verifies(tmp_path):
    model = onnx.load(REFERENCE / "penguins" / "model.onnx")
    onnx.helper.set_model_props(
        model,
        {entry.key: entry.value for entry in model.metadata_props} | {"linreg.units": '{"body_mass_g": "g"}'},
    )
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    found = json.loads(node("--input-type=module", "-e", USE, seal(bundle)).stdout)
    assert found["named"] == found["ordered"][0] == pytest.approx(float(first_prediction()), abs=1e-3)
    assert all(message.startswith("row 0: expected 3 numbers: bill_length_mm") for message in found["messages"])
    assert (found["target"], found["units"], found["passed"]) == ("body_mass_g", [["body_mass_g", "g"]], 5)


def test_the_types_fit_a_strict_consumer():
    compiler = NODE / "node_modules" / "typescript" / "bin" / "tsc"
    consumer = ROOT / "tests" / "deploy" / "consumer.mts"
    ended = node(compiler, "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", consumer)
    assert (ended.returncode, ended.stdout) == (0, b"")
