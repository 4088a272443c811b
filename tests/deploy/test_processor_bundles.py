"""deploy/processors: which C sources of a bundle are run, and under which names their identifiers are known."""

import json
import shutil
from pathlib import Path

import pytest

from export.bundle.export import export
from tests.deploy.processors import REFERENCE, check, module
from tests.deploy.standalone import run, tool

bundles = module("bundles")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The penguins' bundle with a second C source, of float64 and with a prefix."""
    folder = Path(shutil.copytree(REFERENCE / "penguins", tmp_path_factory.mktemp("bundles") / "mixed"))
    export(folder, folder, formats="c", dtype="float64", prefix="of_model")
    return folder


def test_every_listed_source_is_found(mixed):
    found = {source.path.name: source for source in bundles.c_sources(mixed)}
    assert {name: source.prefix for name, source in found.items()} == {
        "model.c": "linreg",
        "model.float64.c": "of_model",
    }
    assert [source.title for source in found.values()] == ["mixed", "mixed, model.float64.c"]


def test_a_source_of_another_precision_than_the_vectors_is_not_run(mixed):
    own, other = bundles.c_sources(mixed)
    assert own.not_run == ""
    assert other.not_run == (
        "the vectors are of the dtype of the model; "
        "make others: linreg export -m mixed --format c --dtype float64 -o OTHER"
    )


def test_the_command_that_is_named_makes_vectors_for_it(mixed, tmp_path):
    export(mixed, tmp_path / "other", formats="c", dtype="float64")
    (source,) = bundles.c_sources(tmp_path / "other")
    assert (source.path.name, source.not_run) == ("model.float64.c", "")


def test_a_header_gives_every_name_the_usual_prefix(mixed, tmp_path):
    own, other = bundles.c_sources(mixed)
    assert own.header() == own.path.with_suffix(".h").read_text()
    (tmp_path / "model.h").write_text(other.header())
    (tmp_path / "call.c").write_text("""
#include "model.h"
static const char *const names[LINREG_FEATURES] = LINREG_FEATURE_NAMES;
const char *call(const LINREG_NUMBER *input, LINREG_NUMBER *output);
const char *call(const LINREG_NUMBER *input, LINREG_NUMBER *output) {
  linreg_predict(LINREG_OUTPUTS, input, output);
  return names[0][0] ? LINREG_STATE_SHA256 : LINREG_TARGET_NAME;
}
""")
    words = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "call.c", "-o", "call.o"]
    ended = run(tool("gcc"), *words, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert " U of_model_predict\n" in run(tool("nm"), tmp_path / "call.o").stdout


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "has no readable manifest.json; run: linreg export -m bundle --format c"),
        ({"files": [{"name": "model.onnx"}]}, "has no readable manifest.json; run: linreg export -m bundle --format c"),
        (
            {"files": [{"name": "model.onnx", "proof": {"format": "onnx"}}]},
            "its manifest lists no C source; run: linreg export -m bundle --format c",
        ),
        ({"files": [{"name": "model.c", "proof": {"format": "c"}}]}, "model.c: cannot be read: "),
    ],
)
def test_a_bundle_without_c_source_fails(tmp_path, manifest, said):
    folder = tmp_path / "bundle"
    folder.mkdir()
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = check(folder)
    assert said in ended.stdout.splitlines()[0]
    assert ended.stdout.splitlines()[0].startswith("failed: ")
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "0 passed, 1 failed")
