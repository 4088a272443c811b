"""Source code is named where a bundle, or a file that can be run, was expected."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def bundle(tmp_path):
    return Path(shutil.copytree(ROOT / "artifacts" / "reference" / "line", tmp_path / "line"))


@pytest.mark.parametrize("name", ["model.c", "model.h", "model.mjs", "model.d.mts", "model.sql"])
def test_predict_asks_for_the_bundle_of_source_code(linreg, bundle, name):
    shutil.copy(bundle / "model.onnx", bundle / name)
    Path("table.csv").write_text("x\n1\n")
    said = linreg("predict", "table.csv", "-m", f"line/{name}").failure()
    assert f"line/{name}: is an exported file, and this command needs its bundle; use -m line" in said


def test_inspect_names_the_module_that_has_the_types(linreg, bundle):
    (bundle / "model.d.mts").write_text("export declare const inputSize: number;\n")
    said = linreg("inspect", "line/model.d.mts").failure()
    assert "holds the TypeScript types of a model; run: linreg inspect line/model.mjs" in said
