import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

from export.bundle.build import build
from export.bundle.contents import record
from export.bundle.export import export
from export.bundle.verify import verify as verify_bundle
from export.bundle.write import make_artifact
from export.formats.names import Format, file_name
from export.proof.verify import verify
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.source import from_checkpoint
from linreg.changes import changing
from linreg.checkpoint import load
from linreg.errors import LinregError, MismatchError, ModelError
from linreg.manifest import read_manifest
from tests.conftest import PENGUINS, ROOT, contents

REFERENCE = ROOT / "artifacts" / "reference"


@pytest.fixture
def bundle(penguins, tmp_path):
    for name in ("model.pth", "card.json"):
        (tmp_path / name).write_bytes((penguins / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("kind", list(Format))
def test_what_is_kept_has_been_proved(bundle, kind):
    source = from_checkpoint(load(bundle))
    entry = export(bundle, bundle, formats=[kind]).manifest.entry(file_name(kind))
    path = bundle / file_name(kind)
    assert path.read_bytes() == build(source, kind)
    assert entry.bytes == path.stat().st_size
    assert 0 < entry.proof["worst_error"] <= 1
    verification = verify(load_artifact(kind, path.name, path.read_bytes(), Trust.LEDGER), source)
    again = {key: value for key, value in json.loads(json.dumps(asdict(verification))).items() if key in entry.proof}
    assert {"cases", "worst_error", "bytes_equal", "parameters_kept"} <= set(again)
    assert {key: entry.proof[key] for key in again} == again
    (row,) = [row for row in verify_bundle(path, data=PENGUINS).rows if row.against == "float64 oracle"]
    assert (row.format, row.cases) == (kind, again["cases"] + 1)


@pytest.mark.parametrize("kind", list(Format))
def test_a_file_that_fails_is_not_left_behind(bundle, kind, monkeypatch):
    """The builder is made to write another model's weights; the good file of before must survive."""
    export(bundle, bundle, formats=[kind])
    good = (bundle / file_name(kind)).read_bytes()
    other = load(bundle)
    other.model.linear_layer.weight.data[0, 1] *= 1.001
    wrong = build(from_checkpoint(other), kind)
    monkeypatch.setattr("export.bundle.build.build", lambda *_args, **_options: wrong)
    with pytest.raises(MismatchError, match="differs from the state_dict"):
        export(bundle, bundle, formats=[kind])
    assert (bundle / file_name(kind)).read_bytes() == good
    assert not list(bundle.glob(".*"))
    (bundle / file_name(kind)).unlink()
    with pytest.raises(MismatchError):
        export(bundle, bundle, formats=[kind])
    assert not (bundle / file_name(kind)).exists()


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("keep", [0, 1, 100, -400])
def test_a_truncated_file_is_refused(bundle, kind, keep):
    source = from_checkpoint(load(bundle))
    data = build(source, kind)[:keep]
    with pytest.raises(ModelError, match=f"{file_name(kind)}: "):
        verify(load_artifact(kind, file_name(kind), data, Trust.USER), source)


def recorded(bundle, state_sha256, artifacts=()):
    with changing(bundle, command="a test") as changes:
        made = [make_artifact(from_checkpoint(load(bundle)), kind, changes) for kind in artifacts]
        record(changes, state_sha256, plain=["model.pth", "card.json"], artifacts=made)
        changes.commit()


def test_artifacts_of_other_weights_are_not_recorded(bundle):
    checkpoint = load(bundle)
    recorded(bundle, checkpoint.state_sha256, [Format.ONNX])
    proof = read_manifest(bundle).entry("model.onnx").proof
    assert (proof["cases"], proof["opset"], proof["ir_version"]) == (24, 18, 8)
    assert proof["needs"] == "onnxruntime >= 1.15.1"
    with pytest.raises(MismatchError, match="made from other weights"):
        recorded(bundle, "0" * 64)
    assert read_manifest(bundle).state_sha256 == checkpoint.state_sha256
    assert sorted(contents(bundle)) == ["SHA256SUMS", "card.json", "manifest.json", "model.onnx", "model.pth"]


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_committed_bundles_are_made_again_byte_for_byte(name, tmp_path):
    shutil.copytree(REFERENCE / name, tmp_path / name)
    (tmp_path / name / "model.onnx").unlink()
    export(tmp_path / name, tmp_path / name)
    assert (tmp_path / name / "model.onnx").read_bytes() == (REFERENCE / name / "model.onnx").read_bytes()


@pytest.mark.parametrize("kind", list(Format))
def test_the_inputs_that_showed_a_difference_are_saved_beside(bundle, kind, monkeypatch):
    """Right parameters, wrong answers: only the outputs give it away, and what was asked is kept."""
    real = load_artifact

    def wrong(*given, **settings):
        runner = real(*given, **settings)

        def bind(inputs):
            call = runner.bind(inputs)
            return replace(call, outputs=lambda: tuple(output + 1 for output in call.outputs()))

        return replace(runner, bind=bind)

    monkeypatch.setattr("export.bundle.staged.load_artifact", wrong)
    name = file_name(kind)
    with pytest.raises(
        MismatchError, match=f"{name}: batch 1, .* its inputs are in .*{name}.failed-inputs.npz"
    ) as caught:
        export(bundle, bundle, formats=[kind])
    assert caught.value.exit_code == 3
    assert not (bundle / name).exists()
    with np.load(bundle / f"{name}.failed-inputs.npz") as saved:
        assert (saved["input"].shape, saved["input"].dtype) == ((1, 3), np.float32)
    monkeypatch.undo()
    export(bundle, bundle, formats=[kind])
    assert not (bundle / f"{name}.failed-inputs.npz").exists()


@pytest.mark.parametrize("kind", [Format.TORCHSCRIPT, Format.C])
def test_a_program_that_cannot_be_remembered_is_not_left_behind(bundle, kind, monkeypatch, tmp_path):
    (bundle / "file").write_bytes(b"no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(bundle / "file"))
    before = contents(bundle)
    source = from_checkpoint(load(bundle))
    with changing(bundle, command="a test") as changes:
        with pytest.raises(LinregError, match="written: cannot be written: Not a directory; set XDG_STATE_HOME to"):
            make_artifact(source, kind, changes)
        assert changes.written == ()
        changes.commit()
    assert contents(bundle) == before


def test_an_artifact_whose_failed_inputs_are_a_link_is_not_left_behind(bundle):
    (bundle / "model.onnx.failed-inputs.npz").symlink_to("model.pth")
    with changing(bundle, command="a test") as changes:
        with pytest.raises(ModelError, match="is a symbolic link"):
            make_artifact(from_checkpoint(load(bundle)), Format.ONNX, changes)
        assert changes.written == ()
