import json
import subprocess

import pytest

from linreg.errors import LinregError, MismatchError, ModelError
from linreg.manifest import (
    CHECKSUM_FILE,
    MANIFEST_FILE,
    check_files,
    check_overwrite,
    entry_of,
    read_manifest,
    remove_artifacts,
    write_manifest,
)


def test_sha256sum_agrees(bundle):
    done = subprocess.run(["sha256sum", "-c", CHECKSUM_FILE], cwd=bundle, capture_output=True, text=True, check=True)
    listed = {entry.name for entry in read_manifest(bundle).files}
    assert done.stdout.splitlines() == [f"{name}: OK" for name in sorted(listed)]
    assert {"model.pth", "card.json", "model.onnx", "model.torchscript"} <= listed


def test_it_is_the_same_after_a_round_trip(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    written = write_manifest(tmp_path, "0" * 64, [entry_of(tmp_path, "model.onnx", {"format": "onnx"})])
    assert read_manifest(tmp_path) == written
    assert read_manifest(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.torchscript", "model.pt2", "model.pth", "card.json", "test_data_set_2/output_0.pb"]
)
def test_a_changed_or_missing_file_is_a_mismatch(bundle, name):
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(MismatchError, match=f"{name}: has sha256 .* the manifest says"):
        check_files(bundle, manifest)
    (bundle / name).unlink()
    with pytest.raises(MismatchError, match=f"{name}: is listed in the manifest, but is not there"):
        check_files(bundle, manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.update(schema_version=99), "schema 99, expected 1"),
        (lambda value: value.pop("files"), "is not a manifest"),
        (lambda value: value["files"][0].update(name="../card.json"), "'../card.json' is not one of this folder"),
        (lambda value: value["files"][0].update(name="/etc/passwd"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name="test_data_set_0/../../x"), "is not one of this folder"),
        (lambda value: value["files"][0].update(bytes="12"), "values of a wrong type"),
        (lambda value: value["files"].append(value["files"][0]), "listed twice"),
        (lambda value: value.update(surplus=1), "is not a manifest"),
    ],
    ids=["future", "no-files", "parent", "absolute", "vector-parent", "type", "twice", "surplus"],
)
def test_a_hostile_manifest_is_refused(bundle, change, message):
    value = json.loads((bundle / MANIFEST_FILE).read_text())
    change(value)
    (bundle / MANIFEST_FILE).write_text(json.dumps(value))
    with pytest.raises(ModelError, match=message):
        read_manifest(bundle)


def test_only_files_of_ours_are_overwritten(bundle):
    check_overwrite(bundle, ["model.onnx", "not-there-yet"], force=False)
    (bundle / "model.onnx").write_bytes(b"the user's own")
    with pytest.raises(LinregError, match=r"model.onnx: is there and is not what the manifest lists; use --force"):
        check_overwrite(bundle, ["model.onnx"], force=False)
    check_overwrite(bundle, ["model.onnx"], force=True)


def test_artifacts_are_removed_with_their_manifest(bundle):
    remove_artifacts(bundle, read_manifest(bundle))
    assert sorted(path.name for path in bundle.iterdir()) == ["card.json", "model.pth"]


def test_nothing_names_the_machine(bundle):
    import os
    import platform

    text = (bundle / MANIFEST_FILE).read_text()
    assert platform.node() not in text
    assert os.fspath(bundle) not in text
    assert set(json.loads(text)["verified_with"]) == {
        "python",
        "processor",
        "torch",
        "numpy",
        "onnx",
        "onnxruntime",
        "cpu_capability",
    }
