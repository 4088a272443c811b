"""C files: proved before they are kept, listed in the manifest, and compiled only with trust."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import export.bundle.build
import export.formats.c
from export.bundle.build import build
from export.bundle.vectors import check_vectors
from export.formats.c import to_c
from export.formats.c_text import header_of, read_c
from export.formats.names import Format
from export.inspection.inspect import inspect_file
from export.proof.verify import verify
from export.runners.c import c_runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError, MismatchError, ModelError
from tests.artifacts import write_alone
from tests.c_sources import answers, named, source_of
from tests.conftest import PENGUINS, TESTS, contents, forge
from tests.export.bundle.test_path_leaks import HERE


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, 4])
def test_many_outputs_no_bias_and_float64_are_proved(tmp_path, dtype, bias, outputs):
    source = source_of(13, outputs, bias=bias, dtype=dtype)
    artifact = write_alone(source, Format.C, tmp_path)
    assert artifact.verification.parameters_kept == 1 + bias
    assert "-std=c99" in artifact.details["compiled_with"]
    assert (tmp_path / "model.h").read_bytes() == header_of(artifact.path.read_bytes())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("weight[feature]", "weight[LINREG_FEATURES - 1 - feature]"),
        ("sum + linreg_bias[place]", "sum"),
        ("sum = fmaf", "sum += 1e-2f; sum = fmaf"),
        ("output[place] =", "if (row != 4000) output[place] ="),
        ("row < batch", "row + 1 < batch"),
        ("fmaf(input[feature], weight[feature], sum)", "fmaf(0 * input[feature], 0, sum) + input[feature] * 0.1f"),
    ],
)
def test_source_with_the_right_weights_and_a_wrong_sum_is_not_kept(penguins, tmp_path, monkeypatch, right, wrong):
    source = from_checkpoint(load(penguins))
    planted = to_c(source).decode().replace(right, wrong)
    assert wrong in planted
    monkeypatch.setattr(export.bundle.build, "build", lambda *_args, **_options: planted.encode())
    with pytest.raises(MismatchError, match=r"model\.c: .* expected"):
        write_alone(source, Format.C, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.c.failed-inputs.npz"]


def test_one_bit_of_a_weight_is_seen_in_the_text(penguins, tmp_path):
    source = from_checkpoint(load(penguins))
    path = write_alone(source, Format.C, tmp_path).path
    text = path.read_text()
    weight = text.partition("linreg_weight[3] = {\n    ")[2].partition(",")[0]
    bits = np.float32(float.fromhex(weight.rstrip("f"))).view(np.uint32) ^ 1
    path.write_text(text.replace(weight, f"{float(bits.view(np.float32)).hex()}f"))
    with pytest.raises(MismatchError, match=r"model.c: parameter 'linear_layer.weight' differs from the state_dict"):
        verify(load_artifact(Format.C, path.name, path.read_bytes(), Trust.USER), source)


def test_the_answers_are_those_of_the_vectors_bit_for_bit(penguins):
    result = check_vectors(c_runner("model.c", to_c(from_checkpoint(load(penguins)))), penguins)
    assert (result.cases, result.bytes_equal, result.worst_error) == (5, True, 0)


def test_a_call_is_refused_that_would_read_beyond_its_rows(penguins):
    runner = c_runner("model.c", to_c(from_checkpoint(load(penguins))))
    for rows in (np.zeros((2, 2), np.float32), np.zeros((2, 3)), np.zeros(3, np.float32), np.zeros((2, 3), ">f4")):
        with pytest.raises(ValueError, match="expected float32"):
            answers(runner, rows)
    strided = np.ones((4, 6), np.float32)[::2, ::2]
    assert answers(runner, strided).tobytes() == answers(runner, strided.copy()).tobytes()


@settings(deadline=None)
@given(data=st.data())
def test_damaged_text_is_an_error_of_one_line(data):
    text = bytearray(to_c(named(["a", "b"])))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(text[: data.draw(st.integers(0, len(text)))])
    try:
        read_c("model.c", cut)
    except ModelError as error:
        assert "\n" not in str(error)


def test_inspect_reads_source_and_header_and_compiles_neither(linreg, bundle, monkeypatch, tmp_path):
    assert linreg("export", "-m", bundle, "-f", "c").code == 0
    monkeypatch.setenv("CC", str(spy(tmp_path)))
    found = inspect_file(bundle / "model.c")
    assert (found.kind, found.bytes) == ("c", (bundle / "model.c").stat().st_size)
    assert found.sha256 == hashlib.sha256((bundle / "model.c").read_bytes()).hexdigest()
    assert found.inputs == [{"name": "input", "dtype": "float32", "shape": ["batch", 3]}]
    assert found.outputs == [{"name": "output", "dtype": "float32", "shape": ["batch", 1]}]
    assert found.metadata["target"] == "body_mass_g"
    assert {entry["name"]: entry["shape"] for entry in found.parameters} == {
        "linear_layer.weight": [1, 3],
        "linear_layer.bias": [1],
    }
    assert found.facts == {"function": "linreg_predict", "weights": "yes"}
    header = inspect_file(bundle / "model.h")
    assert (header.kind, header.inputs, header.facts["weights"]) == ("c", found.inputs, "no: this is the header")
    shown = linreg("inspect", bundle / "model.c")
    assert shown.code == 0
    assert "linreg_predict" in shown.out
    assert not (tmp_path / "compiled").exists()


def spy(folder: Path) -> Path:
    """A compiler that leaves a trace."""
    script = folder / "spy"
    script.write_text(f'#!/bin/sh\ntouch {folder / "compiled"}\nexec cc "$@"\n')
    script.chmod(0o755)
    return script


def test_the_compiler_of_cc_is_taken(linreg, bundle, monkeypatch, tmp_path):
    spy(tmp_path)
    monkeypatch.setenv("CC", "./spy -DUNUSED='a b'")
    assert linreg("export", "-m", bundle, "-f", "c").code == 0
    assert (tmp_path / "compiled").exists()


def test_both_files_are_in_the_manifest_and_its_sums(linreg, bundle):
    ended = linreg("export", "-m", bundle, "-f", "c", "-f", "onnx", "--json")
    assert [entry["format"] for entry in json.loads(ended.out)["artifacts"]] == ["c", "onnx"]
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True, check=True)
    assert {"model.c: OK", "model.h: OK"} <= set(sums.stdout.splitlines())
    ended = linreg("verify", bundle, "--data", PENGUINS, "--json")
    rows = [row for row in json.loads(ended.out)["checked"] if row["format"] == "c"]
    assert [(row["against"], row["cases"]) for row in rows] == [("test vectors", 5), ("float64 oracle", 25)]
    assert rows[0]["bytes_equal"]
    assert linreg("verify", bundle / "model.h").code == 0
    assert linreg("export", "-m", bundle, "-f", "c", "--prefix", "penguins").code == 0
    assert b"penguins_predict" in (bundle / "model.h").read_bytes()
    assert linreg("verify", bundle).code == 0


def test_a_bundle_of_c_alone_has_vectors_too(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "line")
    assert linreg("export", "-m", "line", "-f", "c", "--dtype", "float64").code == 0
    assert (tmp_path / "line" / "model.float64.h").is_file()
    assert linreg("export", "-m", "line", "-f", "c").code == 0
    rows = json.loads(linreg("verify", "line", "--json").out)["checked"]
    assert [(row["file"], row["against"]) for row in rows] == [
        ("model.c", "test vectors"),
        ("model.c", "float64 oracle"),
        ("model.float64.c", "float64 oracle"),
    ]


def test_training_again_takes_both_files_away(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "line")
    linreg("export", "-m", "line", "-f", "c")
    assert "holds artifacts of the old weights (model.c)" in linreg("train", "--epochs", "6", "-o", "line").failure()
    assert linreg("train", "--epochs", "6", "-o", "line", "--force").code == 0
    assert not list((tmp_path / "line").glob("model.[ch]"))


@pytest.mark.parametrize("name", ["model.c", "model.h"])
def test_a_file_of_the_users_is_not_overwritten(linreg, bundle, name):
    (bundle / name).write_text("mine")
    before = contents(bundle)
    assert f"{name}: exists and is not what the manifest lists" in linreg("export", "-m", bundle, "-f", "c").failure()
    assert contents(bundle) == before
    assert linreg("export", "-m", bundle, "-f", "c", "--force").code == 0
    assert linreg("verify", bundle).code == 0


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("no-such-compiler", "no C compiler 'no-such-compiler', .* install it: apt-get install gcc libc6-dev"),
        ("'unfinished", "which is not a command"),
    ],
)
def test_without_a_compiler_nothing_is_written(linreg, bundle, monkeypatch, tmp_path, compiler, message):
    monkeypatch.setenv("CC", compiler)
    before = contents(tmp_path)
    for words in (["-f", "c"], ["-f", "onnx", "-f", "c"], ["-f", "c", "-o", "new"], ["-f", "c", "--force"]):
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(linreg("export", "-m", bundle, *words).failure())
    assert contents(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_a_path_without_cc_is_told_as_well(linreg, bundle, monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "found no C compiler 'cc'" in linreg("export", "-m", bundle, "-f", "c").failure()


def test_a_compiler_that_fails_leaves_nothing(linreg, bundle, monkeypatch):
    monkeypatch.setenv("CC", "false")
    before = set(contents(bundle))
    ended = linreg("export", "-m", bundle, "-f", "c")
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "error: model.c: false rejects it: no message")
    assert set(contents(bundle)) == before


def test_options_that_do_not_fit_are_refused(linreg, bundle):
    assert "--prefix applies to C source" in linreg("export", "-m", bundle, "--prefix", "x").failure(2)
    message = "--prefix: got '1a', expected a lower-case letter, then lower-case letters and digits"
    assert message in linreg("export", "-m", bundle, "-f", "c", "--prefix", "1a").failure(2)
    ended = linreg("export", "-m", bundle, "-f", "c", "--dtype", "float16")
    assert ended.code == 1
    assert "error: c: takes no float16" in ended.err
    assert not list(bundle.glob("*.[ch]"))
    nets = TESTS / "nets.py"
    words = [
        "--module",
        f"{nets}:make_two_towers",
        "--input",
        "user=float32[batch,4]",
        "--input",
        "item=float32[batch,6]",
    ]
    ended = linreg("export", *words, "-f", "c", "-o", "n")
    assert ended.code == 1
    assert "error: c: the network has 2 inputs and 2 outputs, expected one of each" in ended.err


def test_source_of_somebody_else_is_compiled_only_with_trust(linreg, bundle, tmp_path):
    linreg("export", "-m", bundle, "-f", "c")
    evil = '__attribute__((constructor)) static void run(void) { fopen("PWNED", "w"); }'
    evil = evil.replace("PWNED", str(tmp_path / "PWNED"))
    forge(bundle, model_c=(bundle / "model.c").read_bytes() + f"#include <stdio.h>\n{evil}\n".encode())
    for path in (bundle, bundle / "model.c"):
        ended = linreg("verify", path)
        assert ended.code == 1
        assert "model.c: not run, since these are programs that this user did not export" in ended.err
    linreg("inspect", bundle / "model.c")
    assert not (tmp_path / "PWNED").exists()
    assert linreg("verify", bundle, "--trust").code == 0
    assert (tmp_path / "PWNED").exists(), "the control: it does run where it is trusted"


def test_a_header_of_another_source_is_seen(linreg, bundle):
    linreg("export", "-m", bundle, "-f", "c")
    forge(bundle, model_h=(bundle / "model.h").read_bytes().replace(b"FEATURES 3", b"FEATURES 9"))
    for path in (bundle, bundle / "model.c"):
        assert "model.h: is not the header that model.c begins with" in linreg("verify", path).failure(3)


def test_verifying_the_header_verifies_its_source(linreg, bundle):
    assert linreg("export", "-m", bundle, "-f", "onnx", "-f", "c").code == 0
    rows = json.loads(linreg("verify", bundle / "model.h", "--json").out)["checked"]
    assert {row["file"] for row in rows} == {"model.c"}


def test_verifying_source_with_its_vectors_needs_no_torch(linreg, bundle):
    linreg("export", "-m", bundle, "-f", "c")
    code = (
        "import sys; sys.argv = ['linreg', 'verify', sys.argv[1]]; from linreg.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, bundle / "model.c"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_source_that_does_not_compile_is_named(penguins, tmp_path):
    source = from_checkpoint(load(penguins))
    path = tmp_path / "model.c"
    path.write_bytes(build(source, Format.C).replace(b"size_t row = 0", b"size_t row = !"))
    with pytest.raises(ModelError, match=r"^model\.c: cc rejects it: model\.c:\d+:\d+: error: ") as caught:
        verify(load_artifact(Format.C, path.name, path.read_bytes(), Trust.USER), source)
    assert "\n" not in str(caught.value)
    path.write_bytes(
        build(source, Format.C).replace(
            b"linreg_predict(size_t batch, const float *input, float *output)\n{",
            b"other(size_t batch, const float *input, float *output)\n{",
        )
    )
    with pytest.raises(LinregError, match=r"^model\.c: has no function linreg_predict"):
        verify(load_artifact(Format.C, path.name, path.read_bytes(), Trust.USER), source)
