"""deploy/standalone-c: built by make, gcc and clang, as C and C++, and by itself, small."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.build import build
from export.formats.c import to_c
from export.formats.c_text import header_of
from export.formats.names import Format
from export.runners.onnxruntime import onnxruntime_runner
from tests.deploy.standalone import (
    COMPILERS,
    DEPLOY,
    SANITIZED,
    STRICT,
    compiled,
    export_c,
    linear,
    run,
    tool,
    whole_program,
)


@pytest.fixture(scope="module", params=["line", "penguins"])
def exported(request, tmp_path_factory):
    """A committed bundle, its C source written beside."""
    return export_c(request.param, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    return export_c("penguins", tmp_path_factory.mktemp("bundles"))


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
