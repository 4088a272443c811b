import json

import numpy as np
import pytest

from export.source.source import from_checkpoint, metadata_text
from linreg.checkpoint import load
from linreg.models import LinearRegressionModelV2
from linreg.state_dict import state_bytes


def test_a_bare_state_dict_is_a_source(tmp_path):
    (tmp_path / "net.pth").write_bytes(state_bytes(LinearRegressionModelV2(3).state_dict()))
    source = from_checkpoint(load(tmp_path / "net.pth"))
    assert source.affine.weight.shape == (1, 3)
    assert [(entry.name, entry.shape) for entry in source.inputs] == [("input", ("batch", 3))]
    assert source.output_names == ("output",)
    assert not source.module.training


def test_random_inputs_are_the_same_for_the_same_seed_and_have_the_scale_asked(tmp_path):
    (tmp_path / "net.pth").write_bytes(state_bytes(LinearRegressionModelV2(50).state_dict()))
    source = from_checkpoint(load(tmp_path / "net.pth"))
    (first,) = source.random_inputs({"batch": 400}, 1e4, 7)
    assert first.dtype == np.float32
    assert first.shape == (400, 50)
    assert first.std() == pytest.approx(1e4, rel=0.02)
    assert np.array_equal(first, source.random_inputs({"batch": 400}, 1e4, 7)[0])
    assert not np.array_equal(first, source.random_inputs({"batch": 400}, 1e4, 8)[0])


def test_metadata_is_json_under_our_prefix(penguins):
    texts = metadata_text(from_checkpoint(load(penguins)))
    keys = ("features", "inputs", "outputs", "ranges", "state_sha256", "target")
    assert list(texts) == [f"linreg.{key}" for key in keys]
    assert json.loads(texts["linreg.features"]) == ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
    assert json.loads(texts["linreg.target"]) == "body_mass_g"
