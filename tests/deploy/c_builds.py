"""deploy/c built by gcc and clang, with and without sanitizers, and deploy/libtorch by g++."""

import subprocess
import sys
from pathlib import Path

from tests.deploy.bundles import ROOT, tool

VECTORS = ROOT / "deploy" / "vectors"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"
BUILDS = ("gcc", "gcc with sanitizers", "clang with sanitizers")


def compiler(name: str) -> str:
    packages = {"gcc": "gcc", "g++": "g++", "clang": "clang", "clang++": "clang"}
    return tool(name, packages[name])


def build(name: str, folder: Path) -> Path:
    """linreg-c by CMake; -Wall -Wextra -Werror -pedantic stands in its CMakeLists.txt."""
    cmake = tool("cmake", "cmake")
    words = [cmake, "-S", ROOT / "deploy" / "c", "-B", folder, f"-DPython3_EXECUTABLE={sys.executable}"]
    words.append(f"-DCMAKE_C_COMPILER={compiler(name.split()[0])}")
    if "sanitizers" in name:
        words += ["-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_C_FLAGS={SANITIZERS}"]
    for step in (words, [cmake, "--build", folder]):
        ended = subprocess.run(step, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "linreg-c"


def build_libtorch(folder: Path) -> Path:
    """linreg-libtorch by CMake, with the libtorch of Python's torch."""
    import torch

    cmake = tool("cmake", "cmake")
    words = [cmake, "-S", ROOT / "deploy" / "libtorch", "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler('g++')}"]
    words.append(f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}")
    for step in (words, [cmake, "--build", folder, "--parallel", "2"]):
        ended = subprocess.run(step, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "linreg-libtorch"
