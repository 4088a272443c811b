"""An ONNX file is proved with all graph optimisations and with none, and a difference at one end is named."""

import numpy as np
import onnxruntime
import pytest
import torch

import export.bundle.artifact_checks
from export.bundle.export import export as export_bundle
from export.bundle.verify import verify as verify_bundle
from export.proof import optimisation
from linreg.errors import MismatchError
from tests import nets

FAR = 1e-2
ENDS = {
    "all graph optimisations": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "graph optimisation disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


def wrong_at(monkeypatch, *levels):
    """An onnxruntime whose sessions of these levels of graph optimisation give other outputs."""
    session = onnxruntime.InferenceSession

    class Wrong(session):
        def __init__(self, data, options, **settings):
            super().__init__(data, options, **settings)
            self.off = FAR * (options.graph_optimization_level in levels)

        def run(self, *words):
            return [np.asarray(output + self.off, output.dtype) for output in super().run(*words)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)


def exported(folder, kind=nets.Mlp, **settings):
    return export_bundle(nets.make(kind), folder / "net", inputs=nets.INPUTS[kind], budget="1s", **settings)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("net"), formats=["onnx", "torchscript"])


def test_a_right_file_is_proved_at_both_ends_and_the_manifest_says_so(net):
    proof = net.manifest.entry("model.onnx").proof
    assert proof["optimisation"] == ["all", "disabled"]
    assert 0 < proof["worst_error"] <= 1
    assert "optimisation" not in net.manifest.entry("model.torchscript").proof


@pytest.mark.parametrize("end", ENDS)
def test_a_file_that_is_wrong_at_one_end_is_refused_with_that_end(end, tmp_path, monkeypatch):
    wrong_at(monkeypatch, ENDS[end])
    with pytest.raises(MismatchError, match=f"model.onnx: batch 1, .*within .*, only with {end}; its inputs are in"):
        exported(tmp_path)
    assert not (tmp_path / "net" / "model.onnx").exists()


def test_a_file_that_is_wrong_at_both_ends_is_refused_without_one(tmp_path, monkeypatch):
    wrong_at(monkeypatch, *ENDS.values())
    with pytest.raises(MismatchError, match=r"model\.onnx: batch 1") as caught:
        exported(tmp_path)
    assert "only with" not in str(caught.value)


def test_a_file_that_one_end_does_not_load_is_refused(tmp_path, monkeypatch):
    session = onnxruntime.InferenceSession

    def loading(data, options, **settings):
        if options.graph_optimization_level == ENDS["graph optimisation disabled"]:
            raise RuntimeError("no kernel")
        return session(data, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", loading)
    with pytest.raises(MismatchError, match="cannot load it: no kernel, with graph optimisation disabled"):
        exported(tmp_path)


def test_an_affine_file_is_proved_at_both_ends_too_with_the_same_cases(tmp_path, monkeypatch):
    module = torch.nn.Linear(4, 1)
    bundle = export_bundle(module, tmp_path / "good", inputs="x=float32[batch,4]")
    proof = bundle.manifest.entry("model.onnx").proof
    assert proof["cases"] == 24
    assert "optimisation" not in proof, "the manifest of an affine model stays as it was"
    wrong_at(monkeypatch, ENDS["graph optimisation disabled"])
    with pytest.raises(MismatchError, match="only with graph optimisation disabled"):
        export_bundle(module, tmp_path / "net", inputs="x=float32[batch,4]")


@pytest.mark.parametrize("end", ENDS)
def test_verify_checks_the_vectors_at_both_ends(net, end, monkeypatch):
    (row,) = (row for row in verify_bundle(net).rows if row.file == "model.onnx")
    assert row.against == "test vectors"
    wrong_at(monkeypatch, ENDS[end])
    with pytest.raises(MismatchError, match=f"test_data_set_0: .* only with {end}"):
        verify_bundle(net)


def test_a_foreign_file_is_run_at_both_ends_in_child_processes(net, monkeypatch, tmp_path):
    """The child learns the level; the level of the second one is spoilt on its way."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert verify_bundle(net.path / "model.onnx").rows[0].cases > 1
    load, levels = optimisation.load_artifact, []

    def noting(*words, **settings):
        levels.append(words[4])
        return load(*words[:4], "sideways", **settings)

    monkeypatch.setattr(optimisation, "load_artifact", noting)
    with pytest.raises(MismatchError, match=r"sideways.*only with graph optimisation disabled"):
        verify_bundle(net.path / "model.onnx")
    assert levels == ["disabled"]


def test_a_file_too_large_for_two_sessions_is_proved_with_all_optimisations_only(tmp_path, monkeypatch):
    monkeypatch.setattr(optimisation, "MAX_BYTES", 100)
    assert exported(tmp_path).manifest.entry("model.onnx").proof["optimisation"] == ["all"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", ["", "model.onnx"])
def test_verify_runs_the_file_of_a_trained_model_at_both_ends(penguins, end, name, monkeypatch):
    wrong_at(monkeypatch, ENDS[end])
    with pytest.raises(MismatchError, match=f"only with {end}"):
        verify_bundle(penguins / name)


@pytest.mark.parametrize("end", ENDS)
def test_verify_compares_both_ends_of_a_trained_model_with_the_oracle(penguins, end, monkeypatch):
    monkeypatch.setattr(export.bundle.artifact_checks, "has_vectors", lambda _manifest, _entry: False)
    (row,) = (row for row in verify_bundle(penguins).rows if row.file == "model.onnx")
    assert row.against == "float64 oracle"
    wrong_at(monkeypatch, ENDS[end])
    with pytest.raises(MismatchError, match=f"batch 1.* only with {end}"):
        verify_bundle(penguins)
