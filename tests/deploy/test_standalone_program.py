"""deploy/standalone-c as a program under sanitizers: what it answers, and that it fails by what is damaged or wrong."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from export.formats.c import to_c
from export.formats.c_text import header_of
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.state_dict import state_sha256
from tests.deploy.standalone import HERE, REFERENCE, SANITIZED, export_c, run, whole_program

PENGUINS = HERE / "tests" / "data" / "penguins.csv"


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    return export_c("penguins", tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def sanitized(penguins, tmp_path_factory):
    """The penguins' program under AddressSanitizer and UBSan, by both compilers."""
    folder = tmp_path_factory.mktemp("sanitized")
    return [whole_program(folder, penguins, name, "-std=c11", *SANITIZED) for name in ("gcc", "clang")]


def test_predictions_of_a_table_are_onnxruntimes(penguins, sanitized):
    """Columns are found by name, whatever their order."""
    names = ["flipper_length_mm", "bill_depth_mm", "year", "bill_length_mm"]
    header, *lines = PENGUINS.read_text().splitlines()
    places = [header.split(",").index(name) for name in names]
    table = [[line.split(",")[place] for place in places] for line in lines]
    table = [row for row in table if "NA" not in row]
    rows = np.array([[row[3], row[1], row[0]] for row in table], np.float64).astype(np.float32)
    session = onnxruntime.InferenceSession(penguins / "model.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"input": rows})
    text = "\n".join(map(",".join, [names, *table]))
    for program in sanitized:
        ended = run(program, "predict", input=text)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert np.float32(ended.stdout.split()).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "is empty"),
        ("1,2,3\n1,2,x\n", "row 2, column 3 'flipper_length_mm': got 'x', expected a finite number"),
        ("1,2\n", "the first row has 2 cells, expected 3"),
        ("bill_length_mm,bill_depth_mm,flipper\n1,2,3\n", "has no column 'flipper_length_mm'"),
    ],
)
def test_a_bad_table_is_an_error_of_one_line(sanitized, table, message):
    for program in sanitized:
        ended = run(program, "predict", input=table)
        assert ended.returncode == 1
        assert message in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def truncate(bundle):
    path = bundle / "test_data_set_1" / "output_0.pb"
    path.write_bytes(path.read_bytes()[:-3])


def junk(bundle):
    (bundle / "test_data_set_0" / "input_0.pb").write_bytes(b"\xff" * 64)


def remove_input(bundle):
    (bundle / "test_data_set_2" / "input_0.pb").unlink()


def remove_allowed(bundle):
    (bundle / "test_data_set_2" / "allowed_0.pb").unlink()


def remove_cases(bundle):
    for place in bundle.glob("test_data_set_*"):
        shutil.rmtree(place)


def remove_manifest(bundle):
    (bundle / "manifest.json").unlink()


def cut_manifest(bundle):
    path = bundle / "manifest.json"
    path.write_bytes(path.read_bytes()[:10])


def vectors_of_another_model(bundle):
    for place in bundle.glob("test_data_set_*"):
        shutil.rmtree(place)
        shutil.copytree(REFERENCE / "line" / place.name, place)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "failed: test_data_set_1: "),
        (junk, "failed: test_data_set_0: "),
        (remove_input, "failed: test_data_set_2: "),
        (remove_allowed, "failed: test_data_set_2: "),
        (remove_cases, "0 passed, 0 failed"),
        (remove_manifest, "has no readable manifest.json"),
        (cut_manifest, "has no readable manifest.json"),
        (vectors_of_another_model, "the model takes one input of type 1 and shape (batch, 3)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damaged_bundles_fail_and_no_byte_is_read_beyond_its_end(penguins, sanitized, tmp_path, damage, message):
    bundle = Path(shutil.copytree(penguins, tmp_path / "bundle"))
    damage(bundle)
    for program in sanitized:
        ended = run(program, "verify", bundle)
        assert ended.returncode == 1
        assert message in ended.stdout + ended.stderr
        assert "Sanitizer" not in ended.stderr
        assert "runtime error" not in ended.stderr


def test_a_hostile_manifest_is_read_within_its_bytes(penguins, sanitized, tmp_path):
    """Every tenth truncation, and a hundred with one byte changed."""
    bundle = Path(shutil.copytree(penguins, tmp_path / "bundle"))
    shutil.rmtree(bundle / "test_data_set_2")  # the long one
    data = (bundle / "manifest.json").read_bytes()[:400]
    generator = np.random.default_rng(1)
    hostile = [data[:end] for end in range(0, len(data), 10)]
    for place, byte in zip(generator.integers(0, 150, 100), generator.integers(0, 256, 100), strict=True):
        hostile.append(data[:place] + bytes([byte]) + data[place + 1 :])
    for text in hostile:
        (bundle / "manifest.json").write_bytes(text)
        ended = run(sanitized[0], "verify", bundle)
        assert ended.returncode in (0, 1), text
        assert ended.stderr == "" or ended.stderr.startswith(f"error: {bundle}: "), text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("weight[feature]", "weight[LINREG_FEATURES - 1 - feature]"),
        ("sum + linreg_bias[place]", "sum + 0 * linreg_bias[place]"),
        ("0x1.96c218p+5f", "0x1.d6c218p+6f"),
    ],
    ids=["swapped-features", "dropped-bias", "one-weight-off"],
)
def test_a_program_of_planted_source_fails(penguins, tmp_path, right, wrong):
    """Its sha256 of the weights still claims to be right; the vectors see it, in every case that has rows."""
    bundle = Path(shutil.copytree(penguins, tmp_path / "bundle"))
    text = (bundle / "model.c").read_text()
    assert right in text
    (bundle / "model.c").write_text(text.replace(right, wrong))
    for compiler in ("gcc", "clang"):
        ended = run(whole_program(tmp_path, bundle, compiler, "-std=c11", *SANITIZED), "verify", penguins)
        assert ended.returncode == 1
        assert "failed: test_data_set_0: output 0, row 0, column 0: got " in ended.stdout
        assert "failed: test_data_set_4: " in ended.stdout
        assert ended.stdout.splitlines()[-1] == "1 passed, 4 failed"
    sums = run("sha256sum", "-c", "SHA256SUMS", cwd=bundle)
    assert "model.c: FAILED" in sums.stdout


def test_one_bit_of_a_weight_is_seen_by_bytes_and_by_sha256(penguins, tmp_path):
    bundle = Path(shutil.copytree(penguins, tmp_path / "bundle"))
    checkpoint = load(bundle)
    weight = checkpoint.affine.weight.copy()
    weight.view(np.uint32)[0, 0] ^= 1
    affine = replace(checkpoint.affine, weight=weight)
    checkpoint = replace(checkpoint, affine=affine, state_sha256=state_sha256(affine.state()))
    honest = to_c(from_checkpoint(checkpoint))
    right = load(bundle).state_sha256
    assert right.encode() not in honest
    (bundle / "model.c").write_bytes(honest)
    (bundle / "model.h").write_bytes(header_of(honest))
    ended = run(whole_program(tmp_path, bundle, "gcc", "-std=c11"), "verify", penguins)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert (
        f"is of other weights than {from_checkpoint(checkpoint).state_sha256[:12]}.., which are compiled in"
        in ended.stderr
    )
    assert "model.c: FAILED" in run("sha256sum", "-c", "SHA256SUMS", cwd=bundle).stdout

    # A liar keeps the old sha256: within the bound, but not bit-equal.
    wrong = from_checkpoint(checkpoint).state_sha256
    (bundle / "model.c").write_bytes(honest.replace(wrong.encode(), right.encode()))
    (bundle / "model.h").write_bytes(header_of(honest).replace(wrong.encode(), right.encode()))
    ended = run(whole_program(tmp_path, bundle, "gcc", "-std=c11"), "verify", penguins)
    assert "bit-equal" not in ended.stdout
    assert "standalone-c: 5 cases, worst error 0." in ended.stdout


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_json_line(penguins, tmp_path, batch):
    program = whole_program(tmp_path, penguins, "gcc", "-std=c11", "-O2")
    ended = run(program, "bench", penguins, batch, 5)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 1)
    found = json.loads(ended.stdout)
    assert (found["runtime"], found["batch"], len(found["block_s"])) == ("standalone-c", batch, 5)
    assert found["calls"] > 1 and min(found["block_s"]) > 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["verify"], 2),
        (["predict", "x"], 2),
        (["bench", "BUNDLE", "x"], 2),
        (["verify", "missing"], 1),
        (["bench", "BUNDLE", "5"], 1),
    ],
)
def test_wrong_usage_is_told(penguins, sanitized, words, code):
    words = [word.replace("BUNDLE", str(penguins)) for word in words]
    for program in sanitized:
        ended = run(program, *words, env={**os.environ, "LC_ALL": "C"})
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr.startswith("usage: " if code == 2 else "error: ")
