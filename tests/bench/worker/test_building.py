"""Every row on a module of its own, built from what is on disk, and right."""

import math
from contextlib import nullcontext
from functools import partial
from inspect import getclosurevars
from itertools import combinations

import numpy as np
import onnxruntime
import pytest
import torch

from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, Device, Kind, cpu_variants
from bench.worker.building import build
from export.bundle.build import build as build_artifact
from export.formats.names import RUNTIME_FORMATS, file_name
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError
from linreg.models import LinearRegressionModel, LinearRegressionModelV2
from linreg.state_dict import state_bytes

EAGER = [variant.name for variant in cpu_variants() if variant.kind is Kind.EAGER]
SCRIPTED = ["torchscript", "torchscript-frozen", "torchscript-trace"]
ONNX = ["onnxruntime-run", "onnxruntime-io_binding"]


def build_all(path, folder=None, threads=1):
    """Every row of the CPU, and the null row, which is the reference built once more."""
    variants = {variant.name: variant for variant in cpu_variants()}
    variants[NULL] = cpu_variants()[0]
    return {
        name: build(variant, Subject(path=str(path)), folder or path, device=Device.CPU, threads=threads)
        for name, variant in variants.items()
    }


@pytest.fixture(scope="module")
def runners(penguins):
    return build_all(penguins)


def rows(count: int, features: int) -> np.ndarray:
    return (np.random.default_rng(count).standard_normal((count, features)) * 100).astype(np.float32)


def module_of(call) -> torch.nn.Module:
    """The torch module that a call runs."""
    return call.run.func if isinstance(call.run, partial) else getclosurevars(call.run).nonlocals["module"]


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
def test_every_row_answers_as_the_weights_say(tmp_path, make):
    torch.manual_seed(20261123)
    model = make()
    path = tmp_path / "net.pth"
    path.write_bytes(state_bytes(model.state_dict()))
    source = from_checkpoint(load(path))
    for kind in RUNTIME_FORMATS:
        (tmp_path / file_name(kind)).write_bytes(build_artifact(source, kind))
    built = build_all(path, tmp_path)
    assert set(built) == {*EAGER, *SCRIPTED, "pt2", *ONNX, FLOOR, NULL}
    del built[FLOOR]
    weight, offset = numbers(model)
    for batch in (1, 300):
        x = rows(batch, len(weight)).astype(next(model.parameters()).detach().numpy().dtype)
        wide = x.astype(np.float64)
        expected = np.array([[math.fsum([*(weight * row), offset])] for row in wide])
        reach = (np.abs(wide) @ np.abs(weight) + abs(offset))[:, None]
        for name, runner in built.items():
            call = runner.bind((x,))
            with call.context():
                call.run()
            (got,) = call.outputs()
            assert (got.dtype, got.shape) == (x.dtype, (batch, 1)), name
            assert (np.abs(got - expected) <= 50 * np.finfo(x.dtype).eps * reach).all(), name


def test_what_is_timed_gives_the_outputs(runners):
    x = rows(5, 3)
    for name, runner in runners.items():
        call = runner.bind((x,))
        with call.context():
            result = call.run()
        if name in (FLOOR, "onnxruntime-io_binding"):
            assert result is None  # an empty call; and results that stay in the binding
        else:
            result = result[0] if name in ONNX else result.detach().numpy()
            assert result.tobytes() == call.outputs()[0].tobytes(), name


def test_the_outputs_of_a_binding_are_those_of_its_inputs(runners):
    """Results in a binding are fetched anew: those of an earlier call, or of another, would be wrong."""
    first, second = rows(5, 3), rows(6, 3)[:5]
    calls = [runners["onnxruntime-io_binding"].bind((x,)) for x in (first, second)]
    for call in calls:
        call.run()
    answers = [call.outputs()[0] for call in calls]
    plain = [runners["onnxruntime-run"].bind((x,)).outputs()[0] for x in (first, second)]
    assert [answer.tobytes() for answer in answers] == [answer.tobytes() for answer in plain]
    assert answers[0].tobytes() != answers[1].tobytes()


def test_no_two_rows_share_a_module_or_a_storage(runners, penguins):
    x = rows(2, 3)
    modules = {name: module_of(runners[name].bind((x,))) for name in (*EAGER, NULL, *SCRIPTED, "pt2")}
    source = Subject(path=str(penguins)).source()
    owners = {**modules, "source": source.module}
    assert len({id(module) for module in owners.values()}) == len(owners)
    assert not any(owners[name].training for name in (*EAGER, NULL, "torchscript", "torchscript-trace", "source"))
    parameters = {name: runners[name].parameters() for name in modules}
    parameters["source"] = {key: value.numpy() for key, value in source.module.state_dict().items()}
    places = {
        name: {array.__array_interface__["data"][0] for array in arrays.values()} for name, arrays in parameters.items()
    }
    assert all(len(found) == 2 for found in places.values()), "weight and bias"
    for (one, first), (other, second) in combinations(places.items(), 2):
        assert not first & second, (one, other)


def test_what_a_row_shows_as_parameters_is_what_it_runs_with(runners):
    """Equality of weights is proved on `parameters`: they must be the memory of the module that is called."""
    x = rows(2, 3)
    for name in (*EAGER, NULL, "torchscript", "torchscript-trace"):
        state = module_of(runners[name].bind((x,))).state_dict()
        shown = runners[name].parameters()
        assert shown.keys() == state.keys(), name
        for key, value in state.items():
            assert shown[key].__array_interface__["data"][0] == value.data_ptr(), (name, key)


def test_a_row_is_another_module_each_time_it_is_built(runners, penguins):
    again, x = build_all(penguins), rows(1, 3)
    for name in (*EAGER, NULL, *SCRIPTED, "pt2"):
        assert module_of(again[name].bind((x,))) is not module_of(runners[name].bind((x,))), name


def test_only_the_scripted_rows_are_scripted(runners):
    scripted = {
        name
        for name in (*EAGER, NULL, *SCRIPTED, "pt2")
        if isinstance(module_of(runners[name].bind((rows(1, 3),))), torch.jit.ScriptModule)
    }
    assert scripted == set(SCRIPTED)


def test_the_frozen_row_has_no_parameters_left(runners):
    left = {name: len(module_of(runners[name].bind((rows(1, 3),))).state_dict()) for name in SCRIPTED}
    assert left == {"torchscript": 2, "torchscript-frozen": 0, "torchscript-trace": 2}


def test_the_rows_have_the_call_modes_of_their_names(runners):
    x = rows(1, 3)
    expected = {
        "eager-grad": (False, True),
        "eager-no_grad": (False, False),
        "eager-no_grad-per-call": (False, False),
    }
    for name in (*EAGER, NULL, *SCRIPTED, "pt2"):
        call = runners[name].bind((x,))
        with call.context():
            result = call.run()
        assert (result.is_inference(), result.requires_grad) == expected.get(name, (True, False)), name
        outside = call.run()
        if name.endswith("per-call"):  # the context is inside of the call, and nothing around it
            assert isinstance(call.context(), nullcontext), name
            assert not outside.requires_grad, name
        elif name in EAGER:
            assert outside.requires_grad, name


@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_has_the_threads_asked_and_does_not_spin(penguins, monkeypatch, threads):
    made = []
    real = onnxruntime.InferenceSession

    def session(data, options, **more):
        made.append(options)
        return real(data, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    build_all(penguins, threads=threads)
    assert [(options.intra_op_num_threads, options.inter_op_num_threads) for options in made] == [(threads, 1)] * 2
    assert {options.get_session_config_entry("session.intra_op.allow_spinning") for options in made} == {"0"}


def test_artifacts_are_run_from_the_work_folder(penguins, tmp_path):
    """Another model's artifacts lie there: the rows that run them, and no others, have its weights."""
    other = LinearRegressionModelV2(3)
    with torch.no_grad():
        other.linear_layer.weight.fill_(2.0)
        other.linear_layer.bias.fill_(-1.0)
    path = tmp_path / "other.pth"
    path.write_bytes(state_bytes(other.state_dict()))
    source = from_checkpoint(load(path))
    for kind in RUNTIME_FORMATS:
        (tmp_path / file_name(kind)).write_bytes(build_artifact(source, kind))
    built = build_all(penguins, tmp_path)
    del built[FLOOR]
    x = np.ones((1, 3), np.float32)
    strangers = {name for name, runner in built.items() if runner.bind((x,)).outputs()[0].item() == 5.0}
    assert strangers == {*SCRIPTED, "pt2", *ONNX}


def test_the_floor_is_an_empty_call(runners):
    call = runners[FLOOR].bind((rows(1, 3),))
    assert call.run() is None
    assert call.outputs() == ()
    assert runners[FLOOR].parameters() == {}


@pytest.mark.parametrize("name", [*SCRIPTED, "pt2", *ONNX])
def test_a_damaged_artifact_is_one_line(tmp_path, penguins, name):
    variant = next(variant for variant in cpu_variants() if variant.name == name)
    (tmp_path / variant.file).write_bytes((penguins / variant.file).read_bytes()[:100])
    with pytest.raises(LinregError, match=rf"^{variant.file}: .*(load|is cut off).*$"):
        build(variant, Subject(path=str(penguins)), tmp_path, device=Device.CPU, threads=1)
