"""deploy/standalone-c: built by gcc and clang as C and C++, its bits compared with onnxruntime's, its faults found."""

import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from export.artifacts import build, record, write_artifact
from export.c_compiler import c_runner
from export.c_source import to_c
from export.c_text import header_of
from export.cases import judged_cases
from export.formats import Format
from export.inputs import Input
from export.runners import onnxruntime_runner
from export.source import from_checkpoint, from_module
from export.verify import verify
from linreg.checkpoint import load

HERE = Path(__file__).resolve().parents[2]
DEPLOY = HERE / "deploy" / "standalone-c"
REFERENCE = HERE / "artifacts" / "reference"
PENGUINS = HERE / "tests" / "data" / "penguins.csv"
PACKAGES = {
    "gcc": "gcc libc6-dev",
    "g++": "g++",
    "clang": "clang",
    "clang++": "clang",
    "make": "make",
    "nm": "binutils",
}
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = [("gcc", "-std=c11"), ("clang", "-std=c11"), ("g++", "-std=c++17"), ("clang++", "-std=c++17")]


def tool(name: str) -> str:
    assert shutil.which(name), f"{name} is missing; install it: apt-get install {PACKAGES[name]}"
    return name


def run(*words: object, **settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=300, **settings)


def compiled(folder: Path, compiler: str, *words: object) -> Path:
    """Compile with every warning an error; the program."""
    program = folder / f"program-{len(list(folder.glob('program-*')))}"
    language = ["-x", "c++"] if "++" in compiler else []
    done = run(tool(compiler), *STRICT, *language, *words, "-o", program, "-x", "none", "-lm", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return program


def whole_program(folder: Path, bundle: Path, compiler: str, standard: str, *words: str) -> Path:
    """main.c with the model.c of a bundle."""
    includes = ["-D_POSIX_C_SOURCE=200809L", f"-I{DEPLOY.parent / 'vectors'}", f"-I{bundle}"]
    return compiled(folder, compiler, standard, *words, *includes, DEPLOY / "main.c", bundle / "model.c")


@pytest.fixture(scope="module", params=["line", "penguins"])
def exported(request, tmp_path_factory):
    """A committed bundle, its C source written beside."""
    return export_c(request.param, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    return export_c("penguins", tmp_path_factory.mktemp("bundles"))


def export_c(name: str, folder: Path) -> Path:
    bundle = Path(shutil.copytree(REFERENCE / name, folder / name))
    checkpoint = load(bundle)
    record(
        bundle,
        checkpoint.state_sha256,
        plain=[],
        artifacts=[write_artifact(from_checkpoint(checkpoint), Format.C, bundle)],
    )
    return bundle


@pytest.fixture(scope="module")
def sanitized(penguins, tmp_path_factory):
    """The penguins' program under AddressSanitizer and UBSan, by both compilers."""
    folder = tmp_path_factory.mktemp("sanitized")
    return [whole_program(folder, penguins, name, "-std=c11", *SANITIZED) for name in ("gcc", "clang")]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_make_builds_it_and_the_answers_are_those_of_onnxruntime(exported, tmp_path, compiler):
    made = run(tool("make"), "-C", DEPLOY, f"BUNDLE={exported}", f"OUT={tmp_path}", f"CC={tool(compiler)}")
    assert (made.returncode, made.stderr) == (0, "")
    checked = run(tmp_path / "linreg-standalone-c", "verify", exported)
    assert checked.stdout == "standalone-c: 5 cases, bit-equal\n5 passed, 0 failed\n"
    assert (checked.returncode, checked.stderr) == (0, "")
    again = run("make", "-C", DEPLOY, f"BUNDLE={exported}", f"OUT={tmp_path}", f"CC={compiler}")
    assert "-c" not in again.stdout.split()


def test_make_names_the_command_that_writes_the_source(tmp_path):
    made = run(tool("make"), "-C", DEPLOY, f"BUNDLE={tmp_path}", f"OUT={tmp_path / 'out'}")
    assert made.returncode != 0
    assert f"make it with: linreg export -m {tmp_path} --format c" in made.stderr


@pytest.mark.parametrize("flags", [[], ["-O3"], ["-O3", "-mfma"]], ids=" ".join)
@pytest.mark.parametrize(("compiler", "standard"), COMPILERS, ids=lambda value: value)
def test_every_compiler_gives_the_same_bits(penguins, tmp_path, compiler, standard, flags):
    """With hardware fma and with the C library's: an fmaf is an fmaf."""
    if "-mfma" in flags and " fma " not in Path("/proc/cpuinfo").read_text():
        flags = ["-O3"]
    program = whole_program(tmp_path, penguins, compiler, standard, *flags)
    assert run(program, "verify", penguins).stdout == "standalone-c: 5 cases, bit-equal\n5 passed, 0 failed\n"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_source_alone_is_c99(penguins, tmp_path, compiler):
    done = run(
        tool(compiler), "-std=c99", *STRICT, "-Wshadow", "-Wconversion", "-c", penguins / "model.c", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("features", [1, 2, 13, 64, 255, 256, 257, 300, 4096])
def test_the_bits_are_onnxruntimes_up_to_256_features(monkeypatch, compiler, features, outputs):
    monkeypatch.setenv("CC", tool(compiler))
    source = linear(features, outputs)
    runner = c_runner("model.c", to_c(source))
    if features <= 256:
        assert differing_cases(source, runner) == []
    else:
        assert verify(runner, source).worst_error <= 1, "beyond, onnxruntime sums in another order: the bound holds"


@pytest.mark.parametrize("features", [1, 2, 13, 64, 255, 256])
def test_so_are_those_of_float64_and_of_a_model_without_bias(features):
    wide = linear(features, 1, torch.float64)
    assert differing_cases(wide, c_runner("model.c", to_c(wide))) == []
    bare = linear(features, 2, bias=False)
    assert differing_cases(bare, c_runner("model.c", to_c(bare))) == []


def linear(features, outputs=1, dtype=torch.float32, *, bias=True):
    torch.manual_seed(features + outputs)
    module = torch.nn.Linear(features, outputs, bias=bias, dtype=dtype)
    kind = np.dtype(str(dtype).removeprefix("torch."))
    return from_module(module, [Input(name="input", dtype=kind, shape=(None, features))])


def differing_cases(source, runner) -> list[str]:
    """The cases (batches, scales, unit and special rows) where C and onnxruntime differ in a bit; a NaN is a NaN."""
    other = onnxruntime_runner("model.onnx", build(source, Format.ONNX))
    found = []
    for case in judged_cases(source):
        ((ours,), (theirs,)) = (each.bind(case.inputs).outputs() for each in (runner, other))
        for array in (ours, theirs):
            array[np.isnan(array)] = np.nan
        if ours.tobytes() != theirs.tobytes():
            found.append(case.name)
    assert verify(runner, source).cases == 24
    return found


def test_sums_are_fused_and_in_order():
    """Against exact rationals, each step rounded once; the other order gives other bits, so the test sees an order."""
    source = linear(13)
    (rows,) = source.random_inputs(40, 1.0, 1)
    weight, bias = source.affine.weight[0], source.affine.bias[0]
    (got,) = c_runner("model.c", to_c(source)).bind((rows,)).outputs()
    assert got[:, 0].tobytes() == np.array([chain(row, weight, bias) for row in rows]).tobytes()
    backwards = np.array([chain(row[::-1], weight[::-1], bias) for row in rows])
    assert got[:, 0].tobytes() != backwards.tobytes()


def chain(row, weight, bias) -> np.float32:
    total = np.float32(0)
    for x, w in zip(row, weight, strict=True):
        total = rounded(Fraction(float(x)) * Fraction(float(w)) + Fraction(float(total)))
    return rounded(Fraction(float(total)) + Fraction(float(bias)))


def rounded(value: Fraction) -> np.float32:
    """To the nearest float32, the even one of two; the first guess is rounded twice, so its neighbours are tried."""
    guess = np.float32(float(value))
    near = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(near, key=lambda each: (abs(Fraction(float(each)) - value), int(each.view(np.uint32)) & 1))


def test_two_models_in_one_program_do_not_clash(tmp_path):
    """Linked together, and even in one file."""
    sources = {"one": linear(2), "two": linear(3, 2, torch.float64)}
    for prefix, source in sources.items():
        data = to_c(source, prefix=prefix)
        (tmp_path / f"{prefix}.c").write_bytes(data)
        (tmp_path / f"{prefix}.h").write_bytes(header_of(data))
    body = (
        "int main(void) { const float x[ONE_FEATURES] = {1, 2}; float y[ONE_OUTPUTS];"
        "const double u[TWO_FEATURES] = {1, 2, 3}; double v[TWO_OUTPUTS];"
        'one_predict(1, x, y); two_predict(1, u, v); printf("%a %a %a\\n", (double)y[0], v[0], v[1]); return 0; }'
    )
    expected = [
        float(value)
        for source, rows in zip(sources.values(), (np.float32([[1, 2]]), np.float64([[1, 2, 3]])), strict=True)
        for value in onnxruntime_runner("model.onnx", build(source, Format.ONNX)).bind((rows,)).outputs()[0][0]
    ]
    (tmp_path / "linked.c").write_text(f'#include <stdio.h>\n#include "one.h"\n#include "two.h"\n{body}\n')
    (tmp_path / "single.c").write_text(
        f'#include <stdio.h>\n#include "one.h"\n#include "one.c"\n#include "two.c"\n{body}\n'
    )
    for compiler, standard in COMPILERS:
        for files in (["linked.c", "one.c", "two.c"], ["single.c"]):
            program = compiled(tmp_path, compiler, standard, *files)
            assert [float.fromhex(word) for word in run(program).stdout.split()] == expected


def test_batch_0_touches_nothing(penguins, tmp_path):
    (tmp_path / "main.c").write_text('#include "model.h"\nint main(void) { linreg_predict(0, 0, 0); return 0; }\n')
    for compiler, standard in COMPILERS:
        program = compiled(tmp_path, compiler, standard, *SANITIZED, f"-I{penguins}", "main.c", penguins / "model.c")
        assert run(program).returncode == 0


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_microcontroller_needs_fmaf_and_less_than_256_bytes(penguins, tmp_path, compiler):
    done = run(tool(compiler), "-std=c99", "-Os", "-c", penguins / "model.c", cwd=tmp_path)
    assert done.returncode == 0
    undefined = run(tool("nm"), "-u", "-P", "model.o", cwd=tmp_path).stdout.split()
    assert undefined == ["fmaf", "U"]
    assert run("nm", "-g", "-P", "--defined-only", "model.o", cwd=tmp_path).stdout.split()[:2] == [
        "linreg_predict",
        "T",
    ]
    text, data, zeros = map(int, run("size", "model.o", cwd=tmp_path).stdout.splitlines()[1].split()[:3])
    assert (data, zeros) == (0, 0)
    assert 0 < text < 256


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
        ("0x1.2b", "0x1.2c"),
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
    weight = checkpoint.model.linear_layer.weight.data.numpy()
    weight.view(np.uint32)[0, 0] ^= 1
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
    assert found["calls"] > 1
    assert all(5e-5 < seconds < 1 for seconds in found["block_s"])


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
