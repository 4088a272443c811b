"""The example in the README of each caller of liblinreg.so, as a program of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.deploy.bundles import REFERENCE, ROOT, tool
from tests.deploy.c_builds import build
from tests.deploy.callers import CALLERS, build_caller

ROWS = np.array([[39.1, 18.7, 181], [39.5, 17.4, 186]], np.float32)

PROGRAMS = {
    "rust": ("examples/readme.rs", "use std::path::Path;\nfn main() -> Result<(), linreg::Error> {\n%s\nOk(())\n}\n"),
    "go": (
        "cmd/readme/main.go",
        'package main\nimport ("fmt"; "linreg"; "os")\nfunc predict() error {\n%s\nreturn err\n}\n'
        "func main() {\nif predict() != nil { os.Exit(1) }\n}\n",
    ),
    "csharp": (
        "Readme.cs",
        "using System;\nusing Linreg;\nstatic class Readme {\nstatic void Main() {\n%s\n}\n}\n",
    ),
    "java": (
        "linreg/Readme.java",
        "import java.nio.file.Path;\nimport java.util.Arrays;\nimport linreg.Model;\nimport linreg.Tensor;\n"
        "final class Readme {\npublic static void main(String[] words) {\n%s\n}\n}\n",
    ),
}
"""Where the program of each language goes in a copy of its folder, and what stands around the example."""

COMMANDS = {
    "rust": "cargo run --quiet --offline --target-dir {built} --manifest-path {source}/Cargo.toml --example readme",
    "go": "(cd {source} && go build -o {built}/readme ./cmd/readme) && {built}/readme",
    "csharp": "mcs -unsafe -out:{built}/readme.exe {source}/Native.cs {source}/Tensor.cs {source}/Model.cs "
    "{source}/Readme.cs && mono {built}/readme.exe",
    "java": "java -Djava.library.path={built} -cp {built}/classes {source}/linreg/Readme.java",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """The folder of liblinreg.so."""
    return build("gcc", tmp_path_factory.mktemp("library")).parent


def example(language: str) -> str:
    blocks = re.findall(
        r"^```(?!sh)\w+\n(.*?)^```$", (ROOT / "deploy" / language / "README.md").read_text(), re.M | re.S
    )
    assert len(blocks) == 1
    return blocks[0]


@pytest.mark.parametrize("language", CALLERS)
def test_the_example_predicts_as_python_does(language, library, tmp_path):
    for folder in ("c", "vectors", language):
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / "deploy" / folder)
    source, built = tmp_path / "deploy" / language, tmp_path / "built"
    built.mkdir()
    build_caller(language, library, built)
    place, around = PROGRAMS[language]
    (source / place).parent.mkdir(parents=True, exist_ok=True)
    (source / place).write_text(around % example(language))
    shutil.copytree(REFERENCE / "penguins", tmp_path / "penguins")
    flags = f'"-L{library}" "-Wl,-rpath,{library}"'
    libraries = {"LINREG_LIBRARY": str(library / "liblinreg.so"), "CGO_LDFLAGS": flags}
    environment = {**os.environ, **libraries, "GOFLAGS": "-buildvcs=false"}
    command = COMMANDS[language].format(source=source, built=built)
    words = [tool("sh", "dash"), "-c", command]
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    session = onnxruntime.InferenceSession(REFERENCE / "penguins" / "model.onnx", providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"input": ROWS})[0].ravel()
    printed = np.array(re.findall(r"\d+\.\d+", ended.stdout), np.float32)
    np.testing.assert_allclose(printed, wanted, rtol=1e-6)  # C# prints seven digits
