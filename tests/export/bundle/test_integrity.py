"""Files, lists and card of a bundle must agree, and the commands check that before they run anything."""

import hashlib
import json
import shutil

import onnx
import pytest

from export.bundle.integrity import check_bundle
from linreg.checkpoint import load
from linreg.errors import MismatchError, ModelError
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, checksums, read_manifest
from tests.conftest import PENGUINS, forge
from tests.export.bundle.test_affine_graph import backdoor, one_bit
from tests.linreg.test_manifest import relist


def check(bundle):
    check_bundle(bundle, read_manifest(bundle))


def test_a_good_bundle_passes(bundle):
    check(bundle)


def no_proof(bundle):
    relist(bundle, lambda value: [entry.update(proof={}) for entry in value["files"] if entry["name"] == "model.onnx"])


def no_sums(bundle):
    (bundle / CHECKSUM_FILE).unlink()


def other_sums(bundle):
    text = (bundle / CHECKSUM_FILE).read_text()
    digest = hashlib.sha256((bundle / "model.pt2").read_bytes()).hexdigest()
    (bundle / CHECKSUM_FILE).write_text(text.replace(digest, "0" * 64))


def shorter_sums(bundle):
    (bundle / CHECKSUM_FILE).write_text("".join((bundle / CHECKSUM_FILE).read_text().splitlines(keepends=True)[:-1]))


def unlisted_artifact(bundle):
    (bundle / "model.float16.onnx").write_bytes(b"x")


def unlisted_vector(bundle):
    (bundle / "test_data_set_0" / "input_1.pb").write_bytes(b"x")


def card_of_another(bundle):
    forge(bundle, card_json=(bundle / "card.json").read_bytes().replace(b'"state_sha256": "', b'"state_sha256": "0', 1))


def renamed_features(bundle):
    card = json.loads((bundle / "card.json").read_text())
    card["features"].reverse()
    forge(bundle, card_json=json.dumps(card).encode())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_proof, r"model\.onnx: is listed without a proof"),
        (no_sums, "SHA256SUMS: is missing"),
        (other_sums, "SHA256SUMS: does not list the files and sums of the manifest"),
        (shorter_sums, "SHA256SUMS: does not list the files and sums of the manifest"),
        (unlisted_artifact, r"model\.float16\.onnx: is an artifact that the manifest does not list"),
        (unlisted_vector, r"input_1\.pb: is a test vector that the manifest does not list"),
        (card_of_another, r"card\.json: belongs to weights other than those of the manifest"),
        (renamed_features, "names features that differ from its card, or in another order"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_contradiction_is_a_mismatch(bundle, damage, message):
    damage(bundle)
    with pytest.raises(MismatchError, match=message):
        check(bundle)


@pytest.mark.parametrize("name", [CHECKSUM_FILE, MANIFEST_FILE])
def test_the_lists_themselves_may_be_no_links(bundle, name):
    (bundle / "aside").write_bytes((bundle / name).read_bytes())
    (bundle / name).unlink()
    (bundle / name).symlink_to("aside")
    with pytest.raises(ModelError, match=f"{name}: is a symbolic link"):
        check(bundle)


# ---- the command -----------------------------------------------------------------------------------------------------


def test_verify_sees_the_backdoor_that_every_vector_misses(linreg, bundle):
    model = onnx.load(bundle / "model.onnx")
    backdoor(model)
    forge(bundle, model_onnx=model.SerializeToString())
    for path in (bundle, bundle / "model.onnx"):
        assert "has the operators Gemm, Gather, Equal, Where" in linreg("verify", path).failure(3)


def test_a_card_that_is_not_listed_hides_no_backdoor(linreg, bundle):
    model = onnx.load(bundle / "model.onnx")
    backdoor(model)
    forge(bundle, model_onnx=model.SerializeToString())
    relist(bundle, lambda value: value.update(files=[e for e in value["files"] if e["name"] != "card.json"]))
    (bundle / CHECKSUM_FILE).write_bytes(checksums(read_manifest(bundle).files))
    assert "card.json: is a card that the manifest does not list" in linreg("verify", bundle).failure(3)
    (bundle / "card.json").unlink()
    assert "has the operators Gemm, Gather, Equal, Where" in linreg("verify", bundle).failure(3)


def test_a_bundle_without_a_card_is_verified(linreg, bundle):
    shutil.copy(bundle / "model.pth", "bare.pth")
    assert linreg("export", "-m", "bare.pth", "-o", "bare").code == 0
    assert linreg("verify", "bare").code == 0


def test_a_listed_card_that_is_gone_is_a_mismatch(linreg, bundle):
    (bundle / "card.json").unlink()
    with pytest.raises(MismatchError, match=r"card\.json: is listed in the manifest, but is missing"):
        load(bundle)
    assert "card.json: is listed" in linreg("export", "-m", bundle, "-f", "onnx").failure(3)


def test_a_module_whose_layer_has_our_name_is_not_taken_for_ours(linreg, tmp_path):
    code = "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    code += "        self.linear_layer = torch.nn.Linear(3, 1)\n"
    code += "    def forward(self, x):\n        return torch.sigmoid(self.linear_layer(x))\n"
    (tmp_path / "nets.py").write_text(code)
    options = ["--module", "nets.py:Net", "--input", "x=float32[batch,3]", "-f", "onnx", "-o", "logistic"]
    assert linreg("export", *options).code == 0
    assert linreg("verify", "logistic").code == 0
    assert "holds a module" in linreg("export", "-m", "logistic", "-f", "torchscript").failure()
    with pytest.raises(ModelError, match="is the state_dict of a module that was exported with --module"):
        load(tmp_path / "logistic")


def test_a_file_that_changes_after_the_check_is_not_run(linreg, bundle, monkeypatch):
    """The bytes whose sha256 was compared, and whose trust was asked, are the bytes loaded."""
    import export.bundle.integrity

    check_all = export.bundle.integrity.check_bundle

    def check_then_swap(folder, manifest):
        check_all(folder, manifest)
        (bundle / "model.pt2").write_bytes(b"another program")

    monkeypatch.setattr(export.bundle.integrity, "check_bundle", check_then_swap)
    assert "model.pt2: has sha256" in linreg("verify", bundle, "--trust").failure(3)


def test_predict_compares_the_file_with_the_manifest_beside_it(linreg, bundle):
    model = onnx.load(bundle / "model.onnx")
    one_bit(model)
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    for command in (["predict", PENGUINS, "-m", bundle / "model.onnx"], ["bench", "-m", bundle, "--processes", "1"]):
        assert "model.onnx: has sha256" in linreg(*command).failure(3)


def test_without_vectors_and_model_nothing_was_checked(linreg, tmp_path):
    from tests.cli.test_verify import TOWERS

    assert linreg("export", *TOWERS, "-o", "towers").code == 0
    folder = tmp_path / "towers"
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    kept = [entry for entry in manifest["files"] if not entry["name"].startswith("test_data_set_")]
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, "files": kept}))
    (folder / CHECKSUM_FILE).write_text("".join(f"{entry['sha256']}  {entry['name']}\n" for entry in kept))
    for place in folder.glob("test_data_set_*/*"):
        place.unlink()
    message = linreg("verify", "towers").failure()
    assert "checksums match; no test vectors and no model of linreg train" in message
