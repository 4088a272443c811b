"""Feed-forward networks as C: proved from disk, silent under strict compilers and sanitizers, refused where unknown."""

import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import export.bundle.build
import export.formats.source_code.network
from export.formats.c import to_c
from export.formats.c_text import header_of, read_c
from export.formats.names import Format
from export.formats.source_code.reading import read_steps
from export.proof.verify import verify
from export.runners.c import c_runner
from export.source.source import Source
from linreg.errors import ExportError, MismatchError, ModelError
from tests.artifacts import write_alone
from tests.conftest import ROOT
from tests.deploy.standalone import COMPILERS, SANITIZED, run, tool
from tests.feed_forward_networks import NETWORKS, exported, network, source_of
from tests.steps_in_numpy import computed

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]
CHECK = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"
int main(int count, char **words)
{
    const size_t batch = (size_t)atoi(words[count - 1]);
    LINREG_NUMBER *input = (LINREG_NUMBER *)malloc((batch + 1) * LINREG_FEATURES * sizeof *input);
    LINREG_NUMBER *output = (LINREG_NUMBER *)malloc((batch + 1) * LINREG_OUTPUTS * sizeof *output);
    if (fread(input, sizeof *input * LINREG_FEATURES, batch, stdin) != batch) return 2;
    input = (LINREG_NUMBER *)realloc(input, batch * LINREG_FEATURES * sizeof *input);
    output = (LINREG_NUMBER *)realloc(output, batch * LINREG_OUTPUTS * sizeof *output);
    LINREG_NUMBER *scratch = (LINREG_NUMBER *)malloc(LINREG_SCRATCH * sizeof *scratch);
    memset(scratch, 0xff, LINREG_SCRATCH * sizeof *scratch);
    linreg_predict(batch, input, output, scratch);
    fwrite(output, sizeof *output * LINREG_OUTPUTS, batch, stdout);
    free(input);
    free(output);
    free(scratch);
    return 0;
}
"""


@functools.cache
def written(source: Source) -> bytes:
    return to_c(source)


def write_sources(folder: Path, data: bytes) -> None:
    (folder / "model.c").write_bytes(data)
    (folder / "model.h").write_bytes(header_of(data))
    (folder / "main.c").write_text(CHECK)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_proved_and_every_weight_is_found(name, tmp_path):
    source, _ = exported(name)
    artifact = write_alone(source, Format.C, tmp_path)
    weights = artifact.verification.weights
    assert weights is not None
    assert weights.found >= 6
    assert artifact.verification.worst_error < 1
    assert artifact.details["probes"]
    text = read_c("model.c", artifact.path.read_bytes())
    assert not text.affine
    assert (text.input_shape, text.output_shape) == (
        source.inputs[0].shape[1:],
        read_steps(exported(name)[1], "c").output.shape,
    )


@pytest.mark.parametrize("compiler", COMPILERS, ids="".join)
@pytest.mark.parametrize("name", NETWORKS)
def test_strict_compilers_and_sanitizers_are_silent(name, compiler, tmp_path):
    source, data = exported(name)
    write_sources(tmp_path, written(source))
    language = ["-x", "c++"] if "++" in compiler[0] else []
    words = [tool(compiler[0]), *STRICT, compiler[1], *SANITIZED, *language, "main.c", "model.c", "-o", "main", "-lm"]
    built = run(*words, cwd=tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    (rows,) = source.random_inputs({"batch": 9}, 3.0, 3)
    done = subprocess.run([tmp_path / "main", "9"], input=rows.tobytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = computed(read_steps(data, "c"), rows)
    found = np.frombuffer(done.stdout, np.float32).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_c99_is_silent_too_and_uses_no_memory_of_its_own(tmp_path):
    write_sources(tmp_path, written(exported("activations")[0]))
    for compiler in ("gcc", "clang"):
        done = run(tool(compiler), *STRICT, "-std=c99", "-O2", "-c", "model.c", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        symbols = run(tool("nm"), "model.o", cwd=tmp_path).stdout.split()
        assert not {"malloc", "free", "abort"} & set(symbols)
        assert not [kind for kind in symbols if kind in "bBdD"], "nothing but constants outside the caller's memory"


def test_functions_of_math_h_are_those_that_the_header_names(tmp_path):
    for name in NETWORKS:
        data = written(exported(name)[0])
        write_sources(tmp_path, data)
        named = re.search(rb"Needs (.*) of math\.h", header_of(data))
        assert named is not None
        assert run(tool("gcc"), "-std=c99", "-O0", "-fno-builtin", "-c", "model.c", cwd=tmp_path).returncode == 0
        lines = run(tool("nm"), "-u", "model.o", cwd=tmp_path).stdout.split("\n")
        undefined = {line.split()[1] for line in lines if line}
        assert undefined == set(named[1].decode().split(", ")) - ({"fmaf"} - undefined)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
@pytest.mark.parametrize("name", ["mlp", "penguins"])
def test_fast_math_is_refused_by_the_header(name, flag, compiler, tmp_path):
    affine = (ROOT / "artifacts/reference/penguins/model.c").read_bytes()
    write_sources(tmp_path, affine if name == "penguins" else written(exported(name)[0]))
    (tmp_path / "main.c").write_text('#include "model.h"\nint main(void) { return LINREG_FEATURES; }\n')
    for file in ("main.c", "model.c"):
        done = run(tool(compiler), "-std=c99", flag, "-c", file, cwd=tmp_path)
        assert done.returncode != 0
        assert "compile it without -ffast-math" in done.stderr
        assert run(tool(compiler), "-std=c99", "-c", file, cwd=tmp_path).returncode == 0


FAULTS = {
    "dropped bias": (r"sum \+ linreg_constant_1\[place\]", "sum"),
    "swapped features": (r"weight\[feature\]", "weight[LINREG_FEATURES - 1 - feature]"),
    "wrong activation": (r"x < 0 \? 0 : x", "x"),
    "missing residual": (r"\+ small\)", "+ small + small)"),
    "row left out": (r"row < batch", "row + 1 < batch"),
    "scratch too far": (r"scratch\[32 \+ place\] =", "scratch[31 + place] ="),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_not_kept(fault, tmp_path, monkeypatch):
    source, _ = exported("mlp")
    planted, count = re.subn(*FAULTS[fault], written(source).decode(), count=1)
    assert count == 1
    monkeypatch.setattr(export.bundle.build, "build", lambda *_args, **_options: planted.encode())
    with pytest.raises(MismatchError, match=r"model\.c: "):
        write_alone(source, Format.C, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.c.failed-inputs.npz"]


@pytest.mark.parametrize("name", NETWORKS)
def test_one_bit_of_any_weight_is_seen_in_the_text(name):
    source, _ = exported(name)
    text = written(source).decode()
    arrays = re.findall(r"linreg_constant_\d+\[\d+\] = \{\n    ([^,}]+)", text)
    for number in {arrays[0], arrays[-1]}:
        bits = np.float32(float.fromhex(number.rstrip("f"))).view(np.uint32) ^ 1
        damaged = text.replace(number, f"{float(bits.view(np.float32)).hex()}f", 1)
        with pytest.raises(MismatchError, match="differs from the state_dict"):
            verify(c_runner("model.c", damaged.encode()), source, budget_s=0)


def test_float64_uses_the_functions_for_double(tmp_path):
    source = source_of(network("reshaped"), "x=float64[batch,4]")
    artifact = write_alone(source, Format.C, tmp_path)
    assert artifact.verification.worst_error < 1
    text = artifact.path.read_text()
    assert "exp(" in text
    assert "float" not in text.partition("*/")[2].replace("float.h", "")


def test_a_network_without_hidden_values_needs_no_scratch_memory(tmp_path):
    source = source_of(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Softmax(-1)), "x=float32[batch,3]")
    text = write_alone(source, Format.C, tmp_path).path.read_text()
    assert "scratch" not in text.lower()


def test_scratch_memory_is_shared_by_values_that_are_never_needed_together():
    layers = [layer for _ in range(6) for layer in (nn.Linear(10, 10), nn.ReLU())]
    text = read_c("model.c", to_c(source_of(nn.Sequential(*layers, nn.Linear(10, 1)), "x=float32[batch,10]")))
    assert text.scratch == 20
    short = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1))
    assert read_c("model.c", to_c(source_of(short, "x=float32[batch,4]"))).scratch == 10, "ReLU works in place"


def test_an_unknown_operator_is_refused_by_name_and_other_formats_are_written(linreg, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv1d(1, 2, 3), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(6, 1))\n"
    )
    words = ["--module", "net.py:make", "--input", "x=float32[batch,1,8]", "-o", "n", "--budget", "1s"]
    ended = linreg("export", *words, "-f", "onnx", "-f", "c")
    assert ended.code == 1
    assert "operator MaxPool" in ended.err
    assert "use a Conv1d with a stride, or export to onnx" in ended.err
    assert (tmp_path / "n" / "model.onnx").is_file()
    assert not (tmp_path / "n" / "model.c").exists()


def test_too_many_weights_are_refused(monkeypatch):
    monkeypatch.setattr(export.formats.source_code.network, "MAX_WEIGHTS", 100)
    with pytest.raises(ExportError, match="has 1089 weights, expected 1 to 100; use onnx"):
        to_c(exported("mlp")[0])


def test_a_fixed_batch_is_refused():
    with pytest.raises(ExportError, match="takes any number of rows; leave out --static"):
        to_c(source_of(network("mlp"), "x=float32[batch,16]", static=True))


def test_threads_may_call_at_once_with_scratch_memory_of_their_own():
    from concurrent.futures import ThreadPoolExecutor

    source, _ = exported("mixer")
    runner = c_runner("model.c", written(source))
    (rows,) = source.random_inputs({"batch": 4096}, 1.0, 5)
    (expected,) = runner.bind((rows,)).outputs()
    with ThreadPoolExecutor(4) as threads:
        for (found,) in threads.map(lambda _: runner.bind((rows,)).outputs(), range(16)):
            assert found.tobytes() == expected.tobytes()


def test_verify_and_inspect_know_a_network(linreg, tmp_path):
    from export.inspection.inspect import inspect_file
    from linreg import export as export_module

    bundle = export_module(network("sensor"), "net", inputs="x=float32[batch,2,8]", formats=["c"], budget="1s")
    assert linreg("verify", "net").code == 0
    found = inspect_file(Path(bundle) / "model.c")
    assert (found.kind, found.inputs) == ("c", [{"name": "x", "dtype": "float32", "shape": ["batch", 2, 8]}])
    assert found.facts["scratch"] == "56 numbers"


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_damaged_text_of_a_network_is_an_error_of_one_line(data):
    text = bytearray(written(exported("mlp")[0]))
    head = text.index(b"#include <math.h>")
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, head))] = data.draw(st.integers(0, 255))
    try:
        read_c("model.c", bytes(text[: data.draw(st.integers(0, len(text)))]))
    except ModelError as error:
        assert "\n" not in str(error)
