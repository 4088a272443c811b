"""Eleven modules through every format: each file is right, or the export is refused with a reason."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.formats.capture import capture
from export.formats.names import RUNTIME_FORMATS, Format
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError
from tests import nets
from tests.artifacts import write_alone

GOOD = [
    nets.Mlp,
    nets.ConvNet,
    nets.Lstm,
    nets.Encoder,
    nets.TwoTowers,
    nets.InTrainMode,
    nets.DoubleBuffers,
    nets.SharedWeights,
]


def source_of(kind):
    return from_module(nets.make(kind), [parse_input(text) for text in nets.INPUTS[kind]])


@pytest.fixture(scope="module", params=GOOD, ids=lambda kind: kind.__name__)
def exported(request, tmp_path_factory):
    """A good module in all four formats, from one capture."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    source = source_of(request.param)
    program = capture(source)
    return {kind: write_alone(source, kind, folder, program=program) for kind in RUNTIME_FORMATS}, request.param


def test_every_format_answers_within_the_bound(exported):
    artifacts, _ = exported
    for artifact in artifacts.values():
        assert artifact.verification.cases == 20
        assert artifact.verification.worst_error <= 1
    assert artifacts[Format.TORCHSCRIPT].verification.bytes_equal


def test_answers_agree_with_a_fresh_eager_module_on_new_rows(exported):
    """An oracle apart from ours: the module run in float64 by hand where it can be, on rows never verified."""
    artifacts, kind = exported
    module = nets.make(kind).eval()
    generator = np.random.default_rng(99)
    inputs = tuple(parse_input(text).random({"batch": 5}, 1.0, generator) for text in nets.INPUTS[kind])
    with torch.no_grad():
        wanted = module(*map(torch.from_numpy, inputs))
    wanted = list(wanted.values()) if isinstance(wanted, dict) else [wanted]
    for format_, artifact in artifacts.items():
        outputs = (
            load_artifact(format_, artifact.path.name, artifact.path.read_bytes(), Trust.MADE_HERE)
            .bind(inputs)
            .outputs()
        )
        for output, eager in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(output, eager.numpy(), rtol=1e-4, atol=1e-5)


def test_nothing_stands_beside_the_files(exported):
    artifacts, _ = exported
    folder = artifacts[Format.ONNX].path.parent
    assert {path.name for path in folder.iterdir()} == {artifact.path.name for artifact in artifacts.values()}


def test_what_runtimes_do_differently_is_reported_and_not_judged(exported):
    artifacts, kind = exported
    for artifact in artifacts.values():
        assert set(artifact.details["probes"]) == {"special rows", "batch 0"}
    if kind is nets.Lstm:
        assert "SIGABRT" in artifacts[Format.ONNX].details["probes"]["batch 0"], "onnxruntime 1.32 dies of this"
    assert artifacts[Format.TORCHSCRIPT].details["probes"]["batch 0"] == "same bytes as eager"


def test_data_dependent_control_flow_is_kept_or_refused(tmp_path):
    source = source_of(nets.Branches)
    assert write_alone(source, Format.TORCHSCRIPT, tmp_path).verification.bytes_equal
    with pytest.raises(ExportError, match=r"torchscript-trace: line \d+ of nets.py uses a value that depends on"):
        write_alone(source, Format.TORCHSCRIPT_TRACE, tmp_path)
    for kind in (Format.ONNX, Format.PT2):
        with pytest.raises(ExportError, match=r"torch.export refuses the module: GuardOnDataDependent"):
            write_alone(source, kind, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.torchscript"]


def test_a_module_that_depends_on_the_batch_is_never_exported_static_in_silence(tmp_path):
    source = source_of(nets.BatchOfTwo)
    for kind in (Format.ONNX, Format.PT2):
        with pytest.raises(ExportError, match=r"depends on the size of the batch; .*--static"):
            write_alone(source, kind, tmp_path)
    with pytest.raises(ExportError, match="uses a value that depends on the input"):
        write_alone(source, Format.TORCHSCRIPT_TRACE, tmp_path)
    static = from_module(nets.make(nets.BatchOfTwo), [parse_input("x=float32[2,4]")], static=True)
    for kind in (Format.ONNX, Format.PT2, Format.TORCHSCRIPT):
        assert write_alone(static, kind, tmp_path).verification.worst_error <= 1


class Counts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls.add_(1)
        return x * 2


class InPlace(torch.nn.Module):
    def forward(self, x):
        return x.clamp_(min=0) + 1


class Complex(torch.nn.Module):
    def forward(self, x):
        return torch.complex(x, x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Counts(), "changes its own buffers or parameters"),
        (InPlace(), "changes its input 'x' in place"),
        (Complex(), "returns torch.complex64"),
    ],
    ids=["state", "in-place", "complex"],
)
def test_what_cannot_be_proved_is_refused_with_the_reason(module, message):
    with pytest.raises(ExportError, match=message):
        from_module(module, [parse_input("x=float32[batch,4]")], input_names=["x"])


def test_a_path_in_a_constant_is_refused(tmp_path):
    class Where(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.where = f"{Path.cwd()}/nets.py"

        def forward(self, x):
            return x * 2

    source = from_module(Where(), [parse_input("x=float32[batch,4]")])
    with pytest.raises(
        ExportError, match=r"model.torchscript: would contain the local path .*remove it from the module"
    ):
        write_alone(source, Format.TORCHSCRIPT, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_inputs_are_bound_by_name():
    towers = [parse_input(text) for text in reversed(nets.INPUTS[nets.TwoTowers])]
    assert [entry.name for entry in from_module(nets.make(nets.TwoTowers), towers).inputs] == ["user", "item"]
    wrong = [parse_input("user=float32[batch,4]"), parse_input("thing=float32[batch,6]")]
    with pytest.raises(
        ExportError, match="forward takes user, item; got inputs named user, thing: use the argument names"
    ):
        from_module(nets.make(nets.TwoTowers), wrong)


def test_random_numbers_are_refused():
    with pytest.raises(ExportError, match="two calls of the module with equal inputs differ"):
        source_of(nets.RandomNumbers)


def test_the_callers_module_is_left_as_it_was():
    module = nets.make(nets.InTrainMode)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    from_module(module, [parse_input("x=float32[batch,4]")])
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
