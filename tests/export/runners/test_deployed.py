import shutil

import numpy as np
import onnx
import pytest

from export.runners.deployed import OnnxModel
from linreg.checkpoint import load
from linreg.errors import ModelError
from tests.module_predictions import predict


def test_it_answers_as_the_model_and_names_its_columns(penguins):
    model = OnnxModel.open(penguins / "model.onnx")
    assert model.features == ("bill_length_mm", "bill_depth_mm", "flipper_length_mm")
    assert model.target == "body_mass_g"
    rows = np.random.default_rng(0).uniform(10, 250, (500, 3))
    np.testing.assert_allclose(model.predict(rows), predict(load(penguins).model, rows), atol=0.004)
    assert model.predict(rows[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.ClearField("metadata_props"), "does not name its columns"),
        (lambda model: setattr(model.metadata_props[0], "value", "[1, 2, 3]"), "they are not names"),
        (lambda model: setattr(model.metadata_props[0], "value", '["a", "b"]'), r"expected \(batch, 2\)"),
        (lambda model: setattr(model.metadata_props[0], "value", "not json"), "does not name its columns"),
    ],
    ids=["none", "numbers", "too-few", "no-json"],
)
def test_a_model_without_names_is_refused(penguins, tmp_path, change, message):
    model = onnx.load(penguins / "model.onnx")
    change(model)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=message):
        OnnxModel.open(tmp_path / "model.onnx")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08\x12"], ids=["empty", "text", "cut"])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model.onnx: onnxruntime cannot load it"):
        OnnxModel.open(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="no such file"):
        OnnxModel.open(tmp_path / "other.onnx")


def test_a_stale_copy_is_still_the_model(penguins, tmp_path):
    shutil.copy(penguins / "model.onnx", tmp_path / "renamed.onnx")
    assert OnnxModel.open(tmp_path / "renamed.onnx").target == "body_mass_g"
