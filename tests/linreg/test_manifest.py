import json
import subprocess

import pytest

from linreg.errors import LinregError, MismatchError, ModelError
from linreg.manifest import (
    CHECKSUM_FILE,
    MANIFEST_FILE,
    check_overwrite,
    entry_of,
    manifest_files,
    read_entry,
    read_listed,
    read_manifest,
)


def relist(bundle, change):
    """Change the manifest's JSON."""
    value = json.loads((bundle / MANIFEST_FILE).read_text())
    change(value)
    (bundle / MANIFEST_FILE).write_text(json.dumps(value))


def test_sha256sum_agrees(bundle):
    done = subprocess.run(["sha256sum", "-c", CHECKSUM_FILE], cwd=bundle, capture_output=True, text=True, check=True)
    listed = {entry.name for entry in read_manifest(bundle).files}
    assert done.stdout.splitlines() == [f"{name}: OK" for name in sorted(listed)]
    assert {"model.pth", "card.json", "model.onnx", "model.torchscript"} <= listed


def test_it_is_the_same_after_a_round_trip(tmp_path):
    entry = entry_of("model.onnx", b"abc", {"format": "onnx"})
    for name, data in manifest_files("0" * 64, [entry]).items():
        (tmp_path / name).write_bytes(data)
    assert read_manifest(tmp_path).files == (entry,)
    assert read_manifest(tmp_path).state_sha256 == "0" * 64
    assert read_manifest(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.torchscript", "model.pt2", "model.pth", "card.json", "test_data_set_2/output_0.pb"]
)
def test_a_changed_or_missing_file_is_a_mismatch(bundle, name):
    entry = read_manifest(bundle).entry(name)
    good = (bundle / name).read_bytes()
    assert read_entry(bundle, entry) == read_listed(bundle, name, limit=10**6) == good
    data = bytearray(good)
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    for read in (lambda: read_entry(bundle, entry), lambda: read_listed(bundle, name, limit=10**6)):
        with pytest.raises(MismatchError, match=f"{name}: has sha256 .* the manifest says"):
            read()
    (bundle / name).unlink()
    with pytest.raises(MismatchError, match=f"{name}: is listed in the manifest, but is missing"):
        read_entry(bundle, entry)
    (bundle / "aside").write_bytes(good)
    (bundle / name).symlink_to(bundle / "aside")
    with pytest.raises(MismatchError, match=r"not readable as a file: .*is a symbolic link"):
        read_entry(bundle, entry)


def test_the_size_that_is_listed_is_compared(bundle):
    relist(bundle, lambda value: value["files"][1].update(bytes=value["files"][1]["bytes"] + 1))
    with pytest.raises(MismatchError, match="the manifest says"):
        read_entry(bundle, read_manifest(bundle).files[1])


def test_outside_of_a_bundle_a_file_may_be_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"abc")
    (tmp_path / "link.onnx").symlink_to("real")
    assert read_listed(tmp_path, "link.onnx", limit=3) == b"abc"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.update(schema_version=99), "schema 99, expected 1"),
        (lambda value: value.pop("files"), "is not a manifest"),
        (lambda value: value["files"][0].update(name="../card.json"), "'../card.json' is not one of this folder"),
        (lambda value: value["files"][0].update(name="/etc/passwd"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name="test_data_set_0/../../x"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name="notes.txt"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name=".ssh"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name="model.onnx\n"), "is not one of this folder"),
        (lambda value: value["files"][0].update(name=7), "is not one of this folder"),
        (lambda value: value["files"][0].update(bytes="12"), "values of the wrong type"),
        (lambda value: value["files"][0].update(bytes=True), "values of the wrong type"),
        (lambda value: value["files"][0].update(bytes=-1), "values of the wrong type"),
        (lambda value: value["files"][0].update(sha256="0" * 63), "is not 64 hexadecimal digits"),
        (lambda value: value["files"][0].update(sha256="A" * 64), "is not 64 hexadecimal digits"),
        (lambda value: value["files"][0].update(sha256="0" * 64 + "\n" + "1" * 64), "is not 64 hexadecimal digits"),
        (lambda value: value["files"][0].update(sha256=None), "is not 64 hexadecimal digits"),
        (lambda value: value.update(state_sha256="x\ny"), "state_sha256 is not 64 hexadecimal digits"),
        (lambda value: value["files"].append(value["files"][0]), "listed twice"),
        (lambda value: value.update(surplus=1), "is not a manifest"),
    ],
    ids=[
        *("future", "no-files", "parent", "absolute", "vector-parent", "unknown", "hidden", "newline", "number"),
        *("type", "bool", "negative", "short", "upper", "two-lines", "none", "state", "twice", "surplus"),
    ],
)
def test_a_hostile_manifest_is_refused(bundle, change, message):
    relist(bundle, change)
    with pytest.raises(ModelError, match=message):
        read_manifest(bundle)


def test_only_files_of_ours_are_overwritten(bundle):
    check_overwrite(bundle, ["model.onnx", "model.c"], force=False)
    (bundle / "model.onnx").write_bytes(b"the user's own")
    with pytest.raises(LinregError, match=r"model.onnx: exists and is not what the manifest lists; use --force"):
        check_overwrite(bundle, ["model.onnx"], force=False)
    check_overwrite(bundle, ["model.onnx"], force=True)


def test_a_name_that_cannot_be_listed_is_refused_when_it_is_written():
    with pytest.raises(ModelError, match="a bundle cannot hold a file of this name"):
        entry_of("my weights.pth", b"abc")


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


def test_a_manifest_of_another_program_is_none_of_ours_and_stays(linreg, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / MANIFEST_FILE).write_text('{"name": "my app", "icons": []}')
    assert read_manifest(tmp_path / "b") is None
    assert "b/manifest.json: exists and is not what" in linreg("train", "--epochs", "5", "-o", "b").failure()
    assert (tmp_path / "b" / MANIFEST_FILE).read_text() == '{"name": "my app", "icons": []}'
