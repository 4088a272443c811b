"""JavaScript in a bundle: listed in the manifest, checked with its types, run in node only with trust."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from export.formats.js import to_js
from export.formats.js_text import types_of
from export.formats.names import Format
from export.inspection.inspect import inspect_file
from export.runners.js import js_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import ModelError
from tests.artifacts import write_alone
from tests.c_sources import source_of
from tests.conftest import PENGUINS, TESTS, contents, forge
from tests.deploy.bundles import tool
from tests.deploy.javascript import NODE, install
from tests.feed_forward_networks import network


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, 4])
def test_many_outputs_no_bias_and_float64_are_proved(tmp_path, dtype, bias, outputs):
    artifact = write_alone(source_of(13, outputs, bias=bias, dtype=dtype), Format.JS, tmp_path)
    assert artifact.verification.parameters_kept == 1 + bias
    assert artifact.needs == "a browser or Node.js"
    assert (tmp_path / "model.d.mts").read_bytes() == types_of("model.mjs", artifact.path.read_bytes())


def test_both_files_are_in_the_manifest_and_its_sums(linreg, bundle):
    ended = linreg("export", "-m", bundle, "-f", "js", "-f", "onnx", "--json")
    assert [entry["format"] for entry in json.loads(ended.out)["artifacts"]] == ["js", "onnx"]
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True, check=True)
    assert {"model.mjs: OK", "model.d.mts: OK"} <= set(sums.stdout.splitlines())
    ended = linreg("verify", bundle, "--data", PENGUINS, "--json")
    rows = [row for row in json.loads(ended.out)["checked"] if row["format"] == "js"]
    assert [(row["against"], row["cases"]) for row in rows] == [("test vectors", 5), ("float64 oracle", 25)]
    assert rows[0]["bytes_equal"]
    for name in ("model.mjs", "model.d.mts"):
        assert linreg("verify", bundle / name).code == 0


def test_a_network_is_verified_and_inspected(linreg, tmp_path):
    from linreg import export as export_module

    bundle = export_module(network("sensor"), "net", inputs="x=float32[batch,2,8]", formats=["js"], budget="1s")
    assert linreg("verify", "net").code == 0
    found = inspect_file(Path(bundle) / "model.mjs")
    assert (found.kind, found.inputs) == ("js", [{"name": "x", "dtype": "float32", "shape": ["batch", 2, 8]}])
    assert {entry["name"] for entry in found.parameters} >= {"first.weight", "norm.bias", "head.weight"}


def test_inspect_does_not_run_it(linreg, bundle, monkeypatch, tmp_path):
    linreg("export", "-m", bundle, "-f", "js")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = inspect_file(bundle / "model.mjs")
    assert found.metadata["target"] == "body_mass_g"
    assert "body_mass_g" in linreg("inspect", bundle / "model.mjs").out


def test_javascript_of_somebody_else_is_run_only_with_trust(linreg, bundle, tmp_path):
    linreg("export", "-m", bundle, "-f", "js")
    evil = f"import {{ writeFileSync }} from 'node:fs';\nwriteFileSync({json.dumps(str(tmp_path / 'PWNED'))}, '');\n"
    forge(bundle, **{"model.mjs": (bundle / "model.mjs").read_bytes() + evil.encode()})
    for path in (bundle, bundle / "model.mjs"):
        ended = linreg("verify", path)
        assert ended.code == 1
        assert "model.mjs: not run, since these are programs that this user did not export" in ended.err
    linreg("inspect", bundle / "model.mjs")
    assert not (tmp_path / "PWNED").exists()
    assert linreg("verify", bundle, "--trust").code == 0
    assert (tmp_path / "PWNED").exists(), "the control: it does run where it is trusted"


@pytest.mark.parametrize("fault", [(b"20.664696", b"20.664698"), (b": sum + bias[output]", b": sum")])
def test_a_fault_after_export_is_seen_by_the_vectors(linreg, bundle, fault):
    linreg("export", "-m", bundle, "-f", "js")
    data = (bundle / "model.mjs").read_bytes()
    assert fault[0] in data
    forge(bundle, **{"model.mjs": data.replace(*fault)})
    assert "model.mjs: " in linreg("verify", bundle, "--trust").failure(3)


def test_types_of_another_module_are_seen(linreg, bundle):
    linreg("export", "-m", bundle, "-f", "js")
    forge(bundle, **{"model.d.mts": (bundle / "model.d.mts").read_bytes().replace(b"Float32", b"Float64")})
    for path in (bundle, bundle / "model.mjs"):
        assert "model.d.mts: has not the types of model.mjs; export again" in linreg("verify", path).failure(3)


def test_without_node_nothing_is_written(linreg, bundle, monkeypatch, tmp_path):
    before = contents(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for words in (["-f", "js"], ["-f", "onnx", "-f", "js"], ["-f", "js", "-o", "new"]):
        assert "found no node, and without it" in linreg("export", "-m", bundle, *words).failure()
    assert contents(tmp_path) == before


def test_training_again_takes_both_files_away(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "line")
    linreg("export", "-m", "line", "-f", "js")
    assert "holds artifacts of the old weights (model.mjs)" in linreg("train", "--epochs", "6", "-o", "line").failure()
    assert linreg("train", "--epochs", "6", "-o", "line", "--force").code == 0
    assert not list((tmp_path / "line").glob("model.*m*s"))


def test_options_and_modules_that_do_not_fit_are_refused(linreg, bundle):
    assert "--prefix applies to C source" in linreg("export", "-m", bundle, "-f", "js", "--prefix", "x").failure(2)
    words = ["--module", f"{TESTS / 'nets.py'}:make_two_towers", "--input", "user=float32[batch,4]"]
    ended = linreg("export", *words, "--input", "item=float32[batch,6]", "-f", "js", "-o", "n")
    assert "error: js: the network has 2 inputs and 2 outputs, expected one of each" in ended.err


def test_predict_runs_it_on_arrays(linreg, tmp_path):
    from linreg import export as export_module

    export_module(network("mlp"), "net", inputs="x=float32[batch,16]", formats=["onnx", "js"], budget="1s")
    rows = np.random.default_rng(1).standard_normal((5, 16), np.float32)
    np.savez(tmp_path / "rows.npz", x=rows)
    for name in ("model.onnx", "model.mjs"):
        assert linreg("predict", "rows.npz", "-m", f"net/{name}", "-o", f"{name}.npz").code == 0
    found, wanted = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("model.mjs", "model.onnx"))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)


RUN = {
    "throws": (
        b"const batch =",
        b"throw new Error('broken\\nhere'); const batch =",
        r"node says 'Error: broken\\nhere'",
    ),
    "does not parse": (b"const batch =", b"const = ", "node says .SyntaxError"),
    "has no predict": (b"export function predict", b"function predict", "exports no predict function"),
    "gives too few": (b"return output;", b"return output.slice(1);", r"predict gives 1 numbers, expected \(2, 1\)"),
    "gives a plain array": (b"return output;", b"return [...output];", "node says 'TypeError: predict returned object"),
    "ends the process": (b"const batch =", b"process.exit(1); const batch =", "node ended"),
}


@pytest.mark.parametrize("fault", RUN)
def test_a_module_that_cannot_be_run_is_an_error_of_one_line(penguins, fault):
    right, wrong, message = RUN[fault]
    data = to_js(from_checkpoint(load(penguins)))
    assert right in data
    with pytest.raises(ModelError, match=rf"^model\.mjs: .*{message}") as caught:
        js_runner("model.mjs", data.replace(right, wrong)).bind((np.ones((2, 3), np.float32),)).outputs()
    assert "\n" not in str(caught.value)


def test_a_module_that_never_answers_is_ended(penguins, monkeypatch):
    import export.runners.js

    monkeypatch.setattr(export.runners.js, "TIMEOUT_S", 3.0)
    data = to_js(from_checkpoint(load(penguins))).replace(b"const batch =", b"while (input[0] === 1); const batch =")
    runner = js_runner("model.mjs", data)
    with pytest.raises(ModelError, match="node did not answer within 3 s"):
        runner.bind((np.ones((2, 3), np.float32),)).outputs()
    (answer,) = runner.bind((np.zeros((2, 3), np.float32),)).outputs()
    assert answer.shape == (2, 1), "another request starts another process"
    assert runner.bind((np.zeros((0, 3), np.float32),)).outputs()[0].shape == (0, 1)


def test_a_call_of_the_wrong_shape_or_dtype_is_refused(penguins):
    runner = js_runner("model.mjs", to_js(from_checkpoint(load(penguins))))
    for rows in (np.zeros((2, 2), np.float32), np.zeros((2, 3)), np.zeros(3, np.float32), np.zeros((2, 3), ">f4")):
        with pytest.raises(ValueError, match="expected float32"):
            runner.bind((rows,))


CONSUMER = """\
import { featureNames, inputShape, inputSize, predict, targetName } from './model.mjs';

const input = new Float32Array(2 * inputSize);
const output: Float32Array = predict(input);
predict(input, output);
const name: string | undefined = featureNames[0];
const target: string | null = targetName;
const length: number = inputShape.length + Number(name === target);
// @ts-expect-error rows are not plain arrays
predict([length]);
// @ts-expect-error rows of another dtype
predict(new Float64Array(3));
"""


def test_the_types_fit_a_strict_consumer_and_the_module(linreg, bundle):
    install(NODE)
    linreg("export", "-m", bundle, "-f", "js")
    (bundle / "consumer.mts").write_text(CONSUMER)
    words = ["--strict", "--target", "es2022", "--module", "nodenext", "--noEmit", "consumer.mts"]
    compiler = NODE / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run([tool("node", "nodejs"), compiler, *words], cwd=bundle, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    (bundle / "model.d.mts").unlink()
    done = subprocess.run([tool("node", "nodejs"), compiler, *words], cwd=bundle, capture_output=True, text=True)
    assert "TS7016" in done.stdout, "the control: without model.d.mts there are no types"


CALLS = """\
import { predict } from './model.mjs';
const caught = (call) => { try { return String(call()); } catch (error) { return `${error.name}: ${error.message}`; } };
console.log(caught(() => predict([1, 2, 3])));
console.log(caught(() => predict(new Float64Array(3))));
console.log(caught(() => predict(new Float32Array(4))));
console.log(caught(() => predict(new Float32Array(3), new Float32Array(2))));
console.log(caught(() => predict(new Float32Array(0)).length));
const output = new Float32Array(2);
console.log(predict(new Float32Array(6), output) === output);
"""


def test_wrong_calls_throw(linreg, bundle):
    linreg("export", "-m", bundle, "-f", "js")
    (bundle / "calls.mjs").write_text(CALLS)
    done = subprocess.run([tool("node", "nodejs"), "calls.mjs"], cwd=bundle, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        *["TypeError: input: expected a Float32Array of 3 numbers for each row"] * 3,
        "TypeError: output: expected a Float32Array of 1 numbers for each row",
        "0",
        "true",
    ]
