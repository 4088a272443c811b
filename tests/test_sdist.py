"""The source distribution: all that git tracks, so that its tests run without the repository."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked source distribution."""
    builders = pytest.importorskip("hatchling.builders.sdist", reason="hatchling is of the extra dev: make setup")
    folder = tmp_path_factory.mktemp("sdist")
    (path,) = builders.SdistBuilder(str(ROOT)).build(directory=str(folder))
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    return Path(path.removesuffix(".tar.gz"))


def test_it_holds_every_tracked_file_and_no_other(sdist):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    packed = {str(path.relative_to(sdist)) for path in sdist.rglob("*") if path.is_file()}
    assert tracked - packed == set()
    assert packed - tracked == {"PKG-INFO"}


@pytest.mark.slow
def test_its_tests_can_be_collected(sdist):
    """Those of deploy/ too: what they import and read at first is there."""
    words = ["--collect-only", "-q", "-p", "no:cacheprovider", "tests", "tests/deploy"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=sdist, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert "tests/deploy/" in ended.stdout
