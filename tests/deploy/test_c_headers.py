"""The headers of deploy/c and deploy/vectors: C and C++, and a reader of TensorProto that no bytes mislead."""

import subprocess
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.deploy.bundles import REFERENCE, ROOT, copy_of, run, verify
from tests.deploy.c_builds import BUILDS, SANITIZERS, STRICT, VECTORS, compiler
from tests.deploy.mutations import mutations

CPP = """
#include "linreg.h"
#include "predict.h"
#include <dlfcn.h>
int main(int, char **words) {
  void *library = dlopen(words[1], RTLD_NOW);
  const auto get_base = reinterpret_cast<OrtGetApiBaseFunction>(dlsym(library, "OrtGetApiBase"));
  puts(get_base()->GetApi(ORT_MIN_VERSION) != nullptr ? get_base()->GetVersionString() : "none");
}
"""


@pytest.mark.parametrize("name", ["g++", "clang++"])
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
def test_the_headers_are_c_plus_plus_as_well(tmp_path, name, standard):
    source, built = tmp_path / "use.cpp", tmp_path / "use"
    source.write_text(CPP)
    folders = [f"-I{VECTORS}", f"-I{ROOT / 'deploy' / 'c'}"]
    subprocess.run([compiler(name), f"-std={standard}", *STRICT, *folders, source, "-o", built, "-ldl"], check=True)
    library = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    assert run(built, library).stdout.decode().strip() == onnxruntime.__version__


@pytest.fixture(scope="module", params=["gcc", "clang"])
def reader(request, tmp_path_factory) -> Path:
    """A program that reads every file it is given, with sanitizers."""
    built = tmp_path_factory.mktemp("reader") / "read_tensors"
    source = Path(__file__).parent / "read_tensors.c"
    words = [compiler(request.param), "-std=c11", *STRICT, "-g", *SANITIZERS.split(), f"-I{VECTORS}"]
    subprocess.run([*words, source, "-o", built, "-lm"], check=True)
    return built


def described(data: bytes) -> str:
    """What read_tensors prints of a tensor, by onnx's own reader."""
    tensor = onnx.TensorProto.FromString(data)
    array = numpy_helper.to_array(tensor)
    checksum = 0xCBF29CE484222325
    for byte in array.tobytes():
        checksum = ((checksum ^ byte) * 0x100000001B3) % 2**64
    return f"{tensor.data_type} ({', '.join(map(str, array.shape))}) {checksum:016x}"


def test_no_truncation_and_no_mutation_misleads_the_reader(reader, tmp_path):
    """Whatever it takes, onnx takes with the same type, shape and bytes; it may refuse more."""
    data = (REFERENCE / "penguins" / "test_data_set_1" / "input_0.pb").read_bytes()
    files = [data[:length] for length in range(len(data) + 1)] + mutations(data, 600, seed=11)
    for place, content in enumerate(files):
        (tmp_path / f"{place:04}").write_bytes(content)
    lines = run(reader, *sorted(tmp_path.iterdir())).stdout.decode().splitlines()
    assert len(lines) == len(files)
    assert lines[: len(data)] == ["refused"] * len(data)
    assert lines[len(data)] == described(data)
    taken = [(content, line) for content, line in zip(files, lines, strict=True) if line != "refused"]
    assert 50 < len(taken) < 500, "the mutations must show both"
    for content, line in taken:
        assert line == described(content), content


@pytest.mark.parametrize("build", BUILDS[1:])
def test_a_bundle_of_mutated_vectors_is_judged_to_the_end(programs, tmp_path, build):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    pristine = {path.name: path.read_bytes() for path in sorted((bundle / "test_data_set_1").iterdir())}
    for place, (name, data) in enumerate(pristine.items()):
        for number, content in enumerate(mutations(data, 70, seed=place)):
            folder = bundle / f"test_data_set_{100 * (place + 1) + number}"
            folder.mkdir()
            for other, whole in pristine.items():
                (folder / other).write_bytes(content if other == name else whole)
    code, lines = verify(programs[build], bundle)
    passed, failed = (int(word) for word in lines[-1].replace(",", "").split()[::2])
    assert code == 1
    assert passed + failed == 5 + 3 * 70
    assert failed > 100
