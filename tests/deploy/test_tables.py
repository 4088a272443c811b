"""One table in every program of deploy/: the same rows are read, or all refuse; a header of numbers is a header."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.export import export
from linreg.fitting import fit
from tests.deploy import javascript, standalone
from tests.deploy.bundles import run, tool
from tests.deploy.javascript import STANDALONE
from tests.deploy.tables import MODELS, TABLES

FORMATS = ["onnx", "torchscript", "c", "js"]

IN_NODE = """
import * as ort from 'onnxruntime-node';
import { rowPredictor } from '../js/predictor.mjs';
import { openSession } from '../js/session.mjs';
import { readModelFile } from './folder.mjs';
import { predictStream } from './predict.mjs';

const chunks = async function* (bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
};
let input = '';
for await (const text of process.stdin) input += text;
const found = [];
for (const [path, table, size] of JSON.parse(input)) {
  const session = await openSession(ort, await readModelFile(path), path);
  const { features, inputs } = session.model;
  const model = { ...rowPredictor(session, path), features, type: inputs[0].type };
  const written = [];
  const stream = chunks(Buffer.from(table, 'base64'), size);
  found.push(await predictStream(model, stream, { write: (text) => written.push(text) }).then(
    () => ({ predictions: written.join('') }),
    (error) => ({ name: error.constructor.name, error: error.message }),
  ));
  await session.release();
}
console.log(JSON.stringify(found));
"""
"""Tables that come in chunks of a size, one after another: 200 processes would take minutes."""


def text_of(table: str | bytes) -> bytes:
    return table.encode() if isinstance(table, str) else table


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    """y = 2 a + b + 1, and a column alone; all have an exact fit."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, features in MODELS.items():
        if features:
            rows = np.random.default_rng(3).integers(-40, 40, (30, len(features)))
            target = rows @ [2, 1][: len(features)] + 1
            lines = [",".join(map(str, [*row, y])) for row, y in zip(rows.tolist(), target.tolist(), strict=True)]
            (folder / f"{name}.csv").write_text("\n".join([",".join([*features, "target"]), *lines]))
            model = fit(folder / f"{name}.csv", target="target", features=features, split="1", shuffle=False)
            export(model, folder / name, formats=FORMATS)
            continue
        module = torch.nn.Linear(2, 1)
        module.load_state_dict({"weight": torch.tensor([[2.0, 1.0]]), "bias": torch.tensor([1.0])})
        export(module, folder / name, inputs=["x=float32[batch,2]"], formats=FORMATS)
    return {name: folder / name for name in MODELS}


@pytest.fixture(scope="module")
def commands(bundles, programs, libtorch_program, tmp_path_factory) -> dict[str, dict[str, list[object]]]:
    """For each program, its `predict` of each model."""
    folder = tmp_path_factory.mktemp("programs")
    found = {}
    for name, bundle in bundles.items():
        (folder / name).mkdir()
        compiled = standalone.whole_program(folder / name, bundle, "gcc", "-std=c11", *standalone.SANITIZED)
        found[name] = {
            "c": [programs["gcc with sanitizers"], "predict", bundle / "model.onnx"],
            "libtorch": [libtorch_program, "predict", bundle / "model.torchscript"],
            "standalone-c": [compiled, "predict"],
            "standalone-js": [tool("node", "nodejs"), STANDALONE / "cli.mjs", "predict", bundle / "model.mjs"],
        }
    return found


@pytest.fixture(scope="module")
def in_node(bundles) -> dict[str, dict[int, dict[str, str]]]:
    """What Node says of every table, in one piece and byte by byte."""
    javascript.install(javascript.NODE)
    sizes = {key: [2**16, 2**16 if len(text_of(table)) > 1000 else 1] for key, (_, table, _) in TABLES.items()}
    work = [
        (str(bundles[model] / "model.onnx"), base64.b64encode(text_of(table)).decode(), size)
        for key, (model, table, _) in TABLES.items()
        for size in sizes[key]
    ]
    ended = javascript.node("--input-type=module", "-e", IN_NODE, data=json.dumps(work).encode())
    assert ended.returncode == 0, ended.stderr.decode()
    answers = iter(json.loads(ended.stdout))
    return {key: {place: next(answers) for place in range(2)} for key in TABLES}


def expected(key: str) -> np.ndarray | None:
    model, _, rows = TABLES[key]
    if rows is None:
        return None
    return np.array([2.0 * row[0] + (row[1] if model != "one" else 0) + 1 for row in rows])


def check(predictions: np.ndarray, key: str) -> None:
    wanted = expected(key)
    assert wanted is not None, f"read as {predictions}, expected a refusal"
    assert predictions.shape == wanted.shape, predictions
    np.testing.assert_allclose(predictions, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("key", TABLES)
def test_every_program_reads_the_same_rows_or_refuses(commands, key):
    model, table, _ = TABLES[key]
    for program, words in commands[model].items():
        if program == "libtorch" and model not in ("years", "unnamed"):
            continue  # it takes a second to load torch, and has the headers of the other two
        ended = run(*words, text=text_of(table))
        if ended.returncode == 0:
            assert ended.stderr == b""
            check(np.array([float(line) for line in ended.stdout.splitlines()]), key)
            continue
        assert expected(key) is None, ended.stderr
        assert ended.stderr.startswith(b"error: stdin: ") and ended.stderr.count(b"\n") == 1, ended.stderr


@pytest.mark.parametrize("key", TABLES)
def test_node_reads_the_same_rows_or_refuses(in_node, key):
    for answer in in_node[key].values():
        if "predictions" in answer:
            check(np.array([float(line) for line in answer["predictions"].splitlines()]), key)
            continue
        assert expected(key) is None, answer
        assert answer["name"] == "LinregError" and answer["error"].startswith("stdin: "), answer


def test_a_header_of_numbers_that_lacks_a_column_says_what_to_do(commands, in_node):
    table = TABLES["header of numbers, one missing"][1]
    words = "may be names or numbers: it has '2010', a column of the model's, but not all of them; add a header"
    for program in commands["years"].values():
        assert words in run(*program, text=table).stderr.decode()
    assert words in in_node["header of numbers, one missing"][0]["error"]


def test_a_fixed_batch_takes_so_many_rows_a_call(commands, tmp_path):
    """The batch of two: four rows are two calls, five leave one over."""
    module = torch.nn.Linear(2, 1)
    export(module, tmp_path / "fixed", inputs=["x=float32[2,2]"], static=True)
    rows = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32)
    text = "".join(f"{left},{right}\n" for left, right in rows)
    model = tmp_path / "fixed" / "model.onnx"
    wanted = module(torch.from_numpy(rows)).detach().numpy()[:, 0]
    c = [commands["plain"]["c"][0], "predict", model]
    node = [javascript.tool("node", "nodejs"), javascript.NODE / "cli.mjs", "predict", model]
    for words in (c, node):
        ended = run(*words, text=text)
        np.testing.assert_allclose([float(line) for line in ended.stdout.splitlines()], wanted, rtol=1e-5)
        ended = run(*words, text=text + "9,10\n")
        assert ended.returncode == 1 and b"the model takes 2 rows a call, and 1 are left over" in ended.stderr
