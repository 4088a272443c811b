"""No file or folder inside a bundle is a link, for the programs in C and C++; nor do they wait for a pipe."""

import os
import shutil
from pathlib import Path

import pytest

from tests.deploy import standalone
from tests.deploy.bundles import REFERENCE, copy_of, run, verify

PROGRAMS = {"c": "model.onnx", "libtorch": "model.torchscript", "standalone-c": "manifest.json"}
"""Each program, and what it reads of a bundle first."""


@pytest.fixture(scope="module")
def builds(programs, libtorch_program, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("standalone")
    bundle = standalone.export_c("line", folder)
    compiled = standalone.whole_program(folder, bundle, "gcc", "-std=c11", *standalone.SANITIZED)
    return {"c": programs["gcc with sanitizers"], "libtorch": libtorch_program, "standalone-c": compiled}


def to_link(path: Path, outside: Path) -> None:
    path.rename(outside / path.name)
    path.symlink_to(outside / path.name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_link_in_a_bundle_is_refused(builds, tmp_path, name):
    first = PROGRAMS[name]
    for place in (first, "test_data_set_0", "test_data_set_0/input_0.pb", "test_data_set_0/allowed_0.pb"):
        folder = tmp_path / place.replace("/", "-")
        (outside := folder / "outside").mkdir(parents=True)
        bundle = copy_of(REFERENCE / "line", folder)
        to_link(bundle / place, outside)
        code, lines = verify(builds[name], bundle)
        assert code == 1
        assert (lines == []) if place == first else (lines[-1] == "4 passed, 1 failed" and "link" in lines[0])
        if place == "test_data_set_0":
            assert run(builds[name], "bench", bundle, "1").returncode == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_pipe_in_a_bundle_is_not_waited_for(builds, tmp_path, name):
    for place in (PROGRAMS[name], "test_data_set_0/input_0.pb"):
        bundle = copy_of(REFERENCE / "line", tmp_path / place.replace("/", "-"))
        (bundle / place).unlink()
        os.mkfifo(bundle / place)
        assert verify(builds[name], bundle)[0] == 1
        shutil.rmtree(bundle)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_bundle_itself_may_be_a_link(builds, tmp_path, name):
    (tmp_path / "current").symlink_to(REFERENCE / "line")
    assert verify(builds[name], tmp_path / "current")[0] == 0
