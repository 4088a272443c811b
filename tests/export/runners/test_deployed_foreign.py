"""An .onnx file that this user did not export runs in a child process: it may crash, and costs one error line."""

import numpy as np
import onnx
import pytest

import export.runners.guarded
from export.runners.deployed import OnnxModel
from export.runners.ledger import remember
from linreg.errors import ModelError
from tests.export.runners.test_guarded import division_that_traps


def named(data: bytes) -> bytes:
    model = onnx.load_model_from_string(data)
    onnx.helper.set_model_props(model, {"linreg.features": '["a", "b", "c"]', "linreg.target": '"t"'})
    return model.SerializeToString()


def test_a_foreign_file_that_crashes_is_a_model_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(named(division_that_traps()))
    model = OnnxModel.open(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"model.onnx: onnxruntime was killed by SIGFPE on this file"):
        model.predict(np.ones((1, 3)))


def test_predict_reports_a_crash_in_one_line(linreg, tmp_path):
    (tmp_path / "model.onnx").write_bytes(named(division_that_traps()))
    (tmp_path / "table.csv").write_text("a,b,c\n1,1,1\n")
    message = linreg("predict", tmp_path / "table.csv", "-m", tmp_path / "model.onnx").failure()
    assert "onnxruntime was killed by SIGFPE on this file" in message


def test_only_a_file_in_the_ledger_runs_in_process(penguins, tmp_path, monkeypatch):
    class ChildStartedError(Exception): ...

    def start(*_arguments, **_options):
        raise ChildStartedError

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(export.runners.guarded, "guarded_onnx_runner", start)
    with pytest.raises(ChildStartedError):
        OnnxModel.open(penguins / "model.onnx")
    remember((penguins / "model.onnx").read_bytes())
    assert OnnxModel.open(penguins / "model.onnx").target == "body_mass_g"
