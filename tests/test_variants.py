"""Every row on a module of its own, built from what is on disk, and right."""

import math
import shutil
from itertools import combinations

import numpy as np
import onnxruntime
import pytest
import torch

import bench.variants
from bench.variants import NULL, REFERENCE, cpu_variants, fresh_source
from export.artifacts import build
from export.formats import Format
from export.source import from_checkpoint
from export.trust import remember
from linreg.checkpoint import load, state_bytes
from linreg.models import LinearRegressionModel, LinearRegressionModelV2

TORCH = [REFERENCE, NULL, "eager no_grad", "eager grad", "torchscript"]
ONNX = ["onnxruntime run", "onnxruntime io_binding"]


@pytest.fixture
def bundle(penguins, tmp_path):
    """A copy that a test may write into."""
    return shutil.copytree(penguins, tmp_path / "bundle")


def build_all(path):
    return {variant.name: variant.build() for variant in cpu_variants(load(path))}


def rows(count: int, features: int) -> np.ndarray:
    return (np.random.default_rng(count).standard_normal((count, features)) * 100).astype(np.float32)


def modules(runners, x):
    """The torch modules that the calls run."""
    return {name: runners[name].bind((x,)).run.func for name in TORCH}


def test_reference_and_null_row_are_there_and_names_are_unique(penguins):
    names = [variant.name for variant in cpu_variants(load(penguins))]
    assert names == [*TORCH, *ONNX]
    assert len(set(names)) == len(names)
    assert len({REFERENCE, NULL}) == 2


def test_no_two_rows_share_a_module_or_a_storage(penguins):
    checkpoint, x = load(penguins), rows(2, 3)
    runners = {variant.name: variant.build() for variant in cpu_variants(checkpoint)}
    of_the_rows = modules(runners, x)
    source = fresh_source(checkpoint)
    owners = {**of_the_rows, "checkpoint": checkpoint.model, "source": source.module}
    assert len({id(module) for module in owners.values()}) == len(owners)
    storages = {
        name: {tensor.untyped_storage().data_ptr() for tensor in module.state_dict().values()}
        for name, module in owners.items()
    }
    for (one, first), (other, second) in combinations(storages.items(), 2):
        assert not first & second, (one, other)
    assert not any(module.training for module in owners.values())


def test_a_row_builds_another_module_each_time(penguins):
    variants = {variant.name: variant for variant in cpu_variants(load(penguins))}
    for name in TORCH:
        first, second = (variants[name].build().bind((rows(1, 3),)).run.func for _ in range(2))
        assert first is not second
        for key, tensor in first.state_dict().items():
            assert tensor.data_ptr() != second.state_dict()[key].data_ptr()


def test_only_the_scripted_row_is_scripted(penguins):
    owners = modules(build_all(penguins), rows(1, 3))
    kinds = {name: isinstance(module, torch.jit.ScriptModule) for name, module in owners.items()}
    assert kinds == {name: name == "torchscript" for name in TORCH}


@pytest.mark.parametrize("kind", [Format.TORCHSCRIPT, Format.ONNX], ids=str)
def test_artifacts_are_run_from_the_bundle(bundle, kind):
    """Another model's artifact lies in the bundle: the rows that run it, and no others, have its weights."""
    other = LinearRegressionModelV2(3)
    with torch.no_grad():
        other.linear_layer.weight.fill_(2.0)
        other.linear_layer.bias.fill_(-1.0)
    (bundle / "other.pth").write_bytes(state_bytes(other.state_dict()))
    artifact = {Format.TORCHSCRIPT: "model.torchscript", Format.ONNX: "model.onnx"}[kind]
    data = build(from_checkpoint(load(bundle / "other.pth")), kind)
    (bundle / artifact).write_bytes(data)
    remember(data)
    x = np.ones((1, 3), np.float32)
    strangers = {name for name, runner in build_all(bundle).items() if runner.bind((x,)).outputs()[0].item() == 5.0}
    assert strangers == ({"torchscript"} if kind is Format.TORCHSCRIPT else set(ONNX))


def test_a_program_of_somebody_else_is_not_loaded(bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    (bundle / "model.torchscript").write_bytes(b"would run anything")
    build_all(bundle)


def test_a_bundle_without_artifacts_is_benched_with_the_same_bytes_made_in_memory(bundle, monkeypatch):
    names = ["model.onnx", "model.torchscript"]
    kept = {name: (bundle / name).read_bytes() for name in names}
    for name in names:
        (bundle / name).unlink()
    seen = {}

    def watch(real):
        def runner(name, data, **more):
            seen[name] = data
            return real(name, data, **more)

        return runner

    for function in ("onnxruntime_runner", "torchscript_runner"):
        monkeypatch.setattr(bench.variants, function, watch(getattr(bench.variants, function)))
    build_all(bundle)
    assert seen == kept
    assert not any((bundle / name).exists() for name in names)


def numbers(model) -> tuple[np.ndarray, float]:
    """Weight of shape (features,) and bias, in float64."""
    if isinstance(model, LinearRegressionModel):
        return model.weights.detach().double().numpy(), model.bias.item()
    layer = model.linear_layer
    return layer.weight.detach().double().numpy()[0], 0.0 if layer.bias is None else layer.bias.item()


@pytest.mark.parametrize(
    "make",
    [
        LinearRegressionModel,
        LinearRegressionModelV2,
        lambda: LinearRegressionModelV2(40),
        lambda: LinearRegressionModelV2(3, bias=False),
        lambda: LinearRegressionModelV2(3, dtype=torch.float64),
    ],
    ids=["parameter", "linear", "40-features", "no-bias", "float64"],
)
@pytest.mark.parametrize("batch", [1, 300])
def test_every_row_answers_as_the_weights_say(tmp_path, make, batch):
    torch.manual_seed(batch)
    model = make()
    weight, offset = numbers(model)
    x = rows(batch, len(weight)).astype(next(model.parameters()).detach().numpy().dtype)
    wide = x.astype(np.float64)
    expected = np.array([[math.fsum([*(weight * row), offset])] for row in wide])
    reach = (np.abs(wide) @ np.abs(weight) + abs(offset))[:, None]
    path = tmp_path / "net.pth"
    path.write_bytes(state_bytes(model.state_dict()))
    runners = build_all(path)
    assert set(runners) == {*TORCH, *ONNX}
    for name, runner in runners.items():
        call = runner.bind((x,))
        with call.context():
            call.run()
        (got,) = call.outputs()
        assert got.dtype == x.dtype, name
        assert got.shape == (batch, 1), name
        assert (np.abs(got - expected) <= 50 * np.finfo(x.dtype).eps * reach).all(), name


def test_what_is_timed_gives_the_outputs(penguins):
    x = rows(5, 3)
    for name, runner in build_all(penguins).items():
        call = runner.bind((x,))
        with call.context():
            result = call.run()
        if name == "onnxruntime io_binding":
            assert result is None  # its results stay in the binding
        else:
            result = result[0] if name in ONNX else result.detach().numpy()
            assert result.tobytes() == call.outputs()[0].tobytes(), name


@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_has_the_threads_asked_and_does_not_spin(penguins, monkeypatch, threads):
    made = []
    real = onnxruntime.InferenceSession

    def session(data, options, **more):
        made.append(options)
        return real(data, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    for variant in cpu_variants(load(penguins), threads=threads):
        variant.build()
    assert [(options.intra_op_num_threads, options.inter_op_num_threads) for options in made] == [(threads, 1)] * 2
    assert {options.get_session_config_entry("session.intra_op.allow_spinning") for options in made} == {"0"}


def test_the_rows_have_the_call_modes_of_their_names(penguins):
    x = torch.ones(1, 3)
    for name, runner in build_all(penguins).items():
        if name in TORCH:
            call = runner.bind((x.numpy(),))
            with call.context():
                result = call.run()
            assert (result.is_inference(), result.requires_grad) == {
                "eager no_grad": (False, False),
                "eager grad": (False, True),
            }.get(name, (True, False)), name
