"""`import linreg`: the names it gives, their examples, and how light it is."""

import doctest
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import linreg
from tests.conftest import PENGUINS

NAMES = [
    "Bundle",
    "DataError",
    "ExportError",
    "FittedModel",
    "InexactError",
    "LinregError",
    "MismatchError",
    "ModelError",
    "OptionError",
    "PairedComparison",
    "Report",
    "SlowerError",
    "TrainingError",
    "UntrustedError",
    "VerifiedBundle",
    "__version__",
    "bench",
    "compare",
    "export",
    "fit",
    "load",
    "straight_line",
    "verify",
]
WITH_EXAMPLES = ["fit", "load", "straight_line", "FittedModel.save", "FittedModel.predict", "FittedModel.summary"]


def test_all_is_what_the_door_gives() -> None:
    assert sorted(linreg.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(linreg))
    for name in NAMES:
        assert getattr(linreg, name) is not None
        assert name == "__version__" or getattr(linreg, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'linreg' has no attribute 'fitt'"):
        linreg.fitt  # noqa: B018


def test_every_error_of_the_tree_is_there() -> None:
    import linreg.errors

    errors = {
        name
        for name, value in vars(linreg.errors).items()
        if isinstance(value, type) and issubclass(value, linreg.errors.LinregError)
    }
    assert errors <= set(linreg.__all__)


def test_names_load_nothing_before_they_are_used() -> None:
    code = (
        "import json, sys, linreg; before = set(sys.modules); linreg.LinregError; after = set(sys.modules);"
        "print(json.dumps([sorted(before), sorted(after)]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(set, json.loads(ended.stdout))
    assert not {"torch", "numpy", "linreg.fitting", "linreg.errors"} & before
    assert "linreg.errors" in after
    assert not {"torch", "numpy"} & after


def test_what_lies_above_the_core_is_documented_with_an_example() -> None:
    """Those examples are run by the tests of their own rooms."""
    for name in ("export", "verify", "bench", "compare"):
        assert "Example:" in example_of(name)


def example_of(name: str) -> str:
    value: object = linreg
    for part in name.split("."):
        value = getattr(value, part)
    text = value.__doc__
    assert text is not None
    assert "Example:" in text, name
    return text


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_example_of_the_docstring_gives_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(PENGUINS, tmp_path / "penguins.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    example = doctest.DocTestParser().get_doctest(
        example_of(name), {"linreg": linreg, "numpy": numpy}, name, None, None
    )
    assert example.examples
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("package", ["linreg", "export", "bench"])
def test_the_package_says_that_it_is_typed(package: str) -> None:
    import importlib

    assert (Path(importlib.import_module(package).__path__[0]) / "py.typed").exists()
