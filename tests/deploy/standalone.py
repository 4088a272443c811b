"""deploy/standalone-c compiled by every compiler, and the bundles and models that it is compiled of."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch

from export.bundle.export import export
from export.source.inputs import Input
from export.source.module_source import from_module

HERE = Path(__file__).resolve().parents[2]
DEPLOY = HERE / "deploy" / "standalone-c"
REFERENCE = HERE / "artifacts" / "reference"
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


def export_c(name: str, folder: Path) -> Path:
    bundle = Path(shutil.copytree(REFERENCE / name, folder / name))
    export(bundle, bundle, formats="c")
    return bundle


def linear(features, outputs=1, dtype=torch.float32, *, bias=True):
    torch.manual_seed(features + outputs)
    module = torch.nn.Linear(features, outputs, bias=bias, dtype=dtype)
    kind = np.dtype(str(dtype).removeprefix("torch."))
    return from_module(module, [Input(name="input", dtype=kind, shape=("batch", features))])
