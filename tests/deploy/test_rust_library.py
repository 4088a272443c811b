"""Which liblinreg.so the Rust program opens, and what it says if it cannot."""

import os
import shutil
from pathlib import Path

import pytest

from tests.deploy.bundles import REFERENCE, run, verify
from tests.deploy.c_builds import build
from tests.deploy.callers import build_caller

PASSED = (0, "5 passed, 0 failed")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return build("gcc", tmp_path_factory.mktemp("library")).parent / "liblinreg.so"


@pytest.fixture(scope="module")
def built(library, tmp_path_factory) -> Path:
    return build_caller("rust", library.parent, tmp_path_factory.mktemp("rust"))


@pytest.fixture
def program(built, tmp_path) -> Path:
    """The program alone, in a folder without the library."""
    return Path(shutil.copy(built, tmp_path))


def verdict(program: Path) -> tuple[int, str]:
    code, lines = verify(program, REFERENCE / "line")
    return code, lines[-1]


def error_of(program: Path, **environment: str) -> str:
    ended = run(program, "verify", REFERENCE / "line", env={**os.environ, **environment})
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (1, b"", 1)
    return ended.stderr.decode()


def test_a_program_that_is_moved_finds_the_library_beside_it(program, library):
    assert str(program.parent / "liblinreg.so: cannot open shared object file") in error_of(program)
    (program.parent / "liblinreg.so").symlink_to(library)
    assert verdict(program) == PASSED


def test_a_variable_names_the_library(program, library, monkeypatch):
    monkeypatch.setenv("LINREG_LIBRARY", str(library))
    assert verdict(program) == PASSED


def test_a_variable_wins_over_the_library_beside_the_program(built, tmp_path):
    missing = tmp_path / "größe.so"
    error = error_of(built, LINREG_LIBRARY=str(missing))
    assert error.startswith(f"error: {missing}: cannot open shared object file")
    assert error.endswith("; build deploy/c, and set LINREG_LIBRARY to its liblinreg.so\n")


def test_another_library_is_named_with_the_function_that_it_lacks(program):
    error = error_of(program, LINREG_LIBRARY="libm.so.6")
    assert "libm.so.6: undefined symbol: linreg_open; build deploy/c" in error
