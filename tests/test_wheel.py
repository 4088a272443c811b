"""The wheel: the packages, and that they are typed."""

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel that is built here."""
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is of the extra dev: make setup")
    (path,) = builders.WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]
    )
    with zipfile.ZipFile(path) as wheel:
        return set(wheel.namelist())


@pytest.mark.parametrize("package", ["linreg", "export", "bench"])
def test_every_package_is_there_and_says_that_it_is_typed(names: set[str], package: str) -> None:
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names


def test_every_module_of_the_packages_is_there_and_nothing_else(names: set[str]) -> None:
    packages = ("linreg", "export", "bench")
    modules = {str(path.relative_to(ROOT)) for package in packages for path in (ROOT / package).rglob("*.py")}
    assert modules <= names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {*packages, "_linreg.py"}
