"""`--help` and its like answer before torch is loaded, and an .onnx file needs no torch at all."""

import json
import subprocess
import sys

import pytest

from tests.conftest import PENGUINS

HEAVY = {"torch", "numpy", "scipy", "onnx", "onnxscript", "onnxruntime", "matplotlib", "rich", "pyarrow", "jinja2"}
LIGHT = [
    "linreg",
    "linreg.__main__",
    "linreg.cli.main",
    "linreg.config",
    "linreg.errors",
    "export",
    "export.formats.names",
    "export.precision",
    "export.runners.base",
    "bench",
]
RUN = "import sys; sys.argv = ['linreg', *sys.argv[1:]]; from linreg.cli.main import main"


def modules_after(code: str, *words: object) -> set[str]:
    """The top-level modules that a fresh Python has loaded after `code`."""
    report = "; import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *map(str, words)], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_file_loads_nothing_heavy(module):
    assert not HEAVY & modules_after(f"import {module}")


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["--version"], ["trian"], ["train", "--epochs", "x"]]
)
def test_help_and_wrong_usage_load_nothing_heavy(words):
    code = f"{RUN}\ntry: main()\nexcept SystemExit: pass\n0"
    loaded = modules_after(code, *words)
    assert not HEAVY & loaded
    if words in (["--help"], ["--version"]):
        assert not {"hashlib", "html"} & loaded, "OpenSSL alone is 4 MB"


def test_predicting_with_an_onnx_file_needs_no_torch(penguins):
    code = f"{RUN}\ntry: main()\nexcept SystemExit as end: assert not end.code\n0"
    loaded = modules_after(code, "predict", PENGUINS, "-m", penguins / "model.onnx")
    assert "onnxruntime" in loaded
    assert "torch" not in loaded
