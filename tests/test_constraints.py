"""constraints.txt pins whatever an installation of linreg with its extra brings, directly or not."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "constraints.txt").read_text().splitlines()


def plain(name: str) -> str:
    """The name of a package as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed() -> dict[str, str]:
    """The versions of what is installed here, of what pyproject.toml asks for, and of what that asks for in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["project"]["optional-dependencies"].values()
    waiting = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    waiting += [requirement for group in groups for requirement in group]
    found: dict[str, str] = {}
    while waiting:
        name = plain(re.match(r"[A-Za-z0-9._-]+", waiting.pop())[0])
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # of another system, another Python, or an extra that nobody asked for
            continue
        found[name] = package.version.split("+")[0]
        waiting += [requirement for requirement in package.requires or [] if "extra ==" not in requirement]
    return found


def test_everything_that_is_installed_is_pinned():
    pinned = {plain(line.split("==")[0]): line.split("==")[1] for line in LINES if not line.startswith("#")}
    missing = {name: version for name, version in needed().items() if pinned.get(name) != version}
    assert missing == {}, "write it anew: make constraints"
    assert len(needed()) > 40, "the walk found what it had to look at"


@pytest.mark.parametrize("line", LINES[1:])
def test_a_line_is_a_version_and_names_no_place(line):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*", line)


def test_torch_has_no_build_in_its_version():
    assert [line for line in LINES if line.startswith("torch==")] == ["torch==2.13.0"]
