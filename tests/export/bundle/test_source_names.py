"""Source code that says something else of itself than its bundle does is a mismatch, though its outputs are right."""

import re
import shutil

import pytest

from export.bundle.export import export
from export.bundle.integrity import check_bundle
from export.formats.js_text import types_of
from linreg.errors import MismatchError
from linreg.manifest import read_manifest
from tests.conftest import ROOT, forge


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "penguins"
    shutil.copytree(ROOT / "artifacts" / "reference" / "penguins", folder)
    export(folder, folder, formats=["js", "sql"])
    return folder


def check(folder):
    check_bundle(folder, read_manifest(folder))


@pytest.mark.parametrize(
    ("name", "pattern", "changed", "message"),
    [
        ("model.mjs", r'("state_sha256": ")7', r"\g<1>8", "says that its state_sha256 is '8fa"),
        ("model.mjs", r'(stateSha256 = ")7', r"\g<1>8", "names or a state_sha256 that differ from those in its"),
        ("model.mjs", r"(featureNames = .*)bill_length", r"\1bill_width", "names or a state_sha256 that differ"),
        ("model.mjs", r'"target": "body', '"target": "brain', "says that its target is 'brain_mass_g'"),
        ("model.mjs", r'(targetName = ")body', r"\1brain", "names or a state_sha256 that differ"),
        ("model.sql", r'("state_sha256": ")7', r"\g<1>8", "says that its state_sha256 is '8fa"),
        ("model.sql", r'AS "predicted_body_mass_g"(?=\nFROM)', 'AS "price"', "names or a state_sha256 that differ"),
        ("model.sql", "bill_length_mm", "beak_length_mm", r"says that its features is \"\['beak"),
        ("model.c", r'("state_sha256": ")7', r"\g<1>8", "says that its state_sha256 is '8fa"),
        ("model.c", r'(STATE_SHA256 ")7', r"\g<1>8", "names or a state_sha256 that differ"),
        ("model.c", r'(TARGET_NAME ")body', r"\1brain", "names or a state_sha256 that differ"),
    ],
)
def test_a_changed_name_is_a_mismatch(name, pattern, changed, message, exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "penguins")
    check(folder)
    text, count = re.subn(pattern, changed, (folder / name).read_text())
    assert count
    files = {name.replace(".", "_"): text.encode()}
    if name == "model.c":
        files["model_h"] = text.partition("\n/* End of the header. */\n")[0].encode()
    if name == "model.mjs":
        (folder / "model.d.mts").write_bytes(types_of(name, text.encode()))
    forge(folder, **files)
    with pytest.raises(MismatchError, match=rf"{re.escape(name)}: .*{message}"):
        check(folder)
