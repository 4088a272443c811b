"""What is exact is held to be exact: ties that no rounding moved, and the limit beyond which nothing is provable."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.build import build
from export.formats.names import Format
from export.precision import ExportPrecision
from export.proof.comparison import compare_output
from export.proof.exactness import Exactness
from export.proof.oracle import Oracle
from export.proof.verify import verify
from export.proof.weights import find_weights
from export.runners.load import load_artifact
from export.runners.torch import torch_runner
from export.runners.trust import Trust
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError, InexactError, MismatchError
from tests import nets

BYTES = "u=uint8[batch,4]<256"


class Halve(nn.Module):
    def forward(self, u):
        return torch.round(u.to(self.kind) / 2)


class Sixteenth(nn.Module):
    """Few ties: one answer in sixteen."""

    def forward(self, u):
        return torch.floor(u.to(self.kind) / 16 + 0.5)


class Pooled(nn.Module):
    def forward(self, u):
        return torch.round(nn.functional.avg_pool1d(u.to(self.kind)[:, None], 2))


class Moved(nn.Module):
    """Numbers are moved about, and written in place, between a division and what rounds it."""

    def forward(self, u):
        y = torch.cat([u.to(self.kind) / 2, torch.flip(u.to(self.kind) / 2, (1,))], 1).mul_(0.5)
        return torch.where(y > 1000, torch.zeros_like(y), y).round_()


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.layer.weight.data = torch.arange(12.0).reshape(3, 4) / 4
        self.layer.bias.data.fill_(0.25)

    def forward(self, u):
        return torch.round(self.layer(u.to(self.kind)) * 2)


class Masked(nn.Module):
    """Infinity among the arguments."""

    def forward(self, u):
        x = u.float() / 7
        return torch.softmax(x.masked_fill(u > 100, -torch.inf), 1).nan_to_num()


@pytest.mark.parametrize("module", [Halve, Sixteenth, Pooled, Moved, Weighted], ids=lambda module: module.__name__)
@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
def test_ties_of_exact_numbers_are_held_to_the_answer_of_eager(module, double):
    """Another way of rounding differs by one at ties: one such answer must not pass."""
    made = module().to(torch.float64) if double else module()
    made.kind = torch.float64 if double else torch.float32
    source = from_module(made, [parse_input(BYTES)])
    inputs = source.random_inputs({"batch": 256}, 1.0, 1)
    (expected,) = Oracle(source).answers(inputs, 1.0)
    assert (expected.values == expected.eager).all()
    assert expected.allowed.max() < 0.01
    for place in (0, 100, expected.eager.size - 1):
        wrong = expected.eager.copy()
        wrong.flat[place] += 1
        with pytest.raises(MismatchError):
            compare_output("file", wrong, expected)


def test_what_rounding_moves_is_known_beside_infinity():
    source = from_module(Masked(), [parse_input(BYTES)])
    oracle = Oracle(source)
    inputs = source.random_inputs({"batch": 64}, 1.0, 1)
    (moved,) = oracle._moved(inputs, oracle.float64.outputs(inputs))
    assert (moved[(inputs[0] <= 100).sum(1) > 1].max(1) > 0).all()


class KnifeEdge(nn.Module):
    """Exact, though any rounding of the logarithm would change most answers."""

    def forward(self, i):
        return torch.floor(torch.log2(torch.pow(2.0, i.float())))


def test_where_eager_is_exact_on_a_knifes_edge_files_are_held_to_it():
    source = from_module(KnifeEdge(), [parse_input("i=int64[batch,4]<20")])
    (expected,) = Oracle(source).answers(source.random_inputs({"batch": 128}, 1.0, 1), 1.0)
    assert (expected.values == expected.eager).all()
    assert expected.allowed.max() < 0.01


HALVES = {
    "linear": (nn.Sequential(nn.Linear(4, 8)), ["x=float32[batch,4]"]),
    "layers": (
        nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.LayerNorm(32), nn.Linear(32, 3)),
        ["x=float32[batch,16]"],
    ),
    "convolution": (nets.make(nets.ConvNet), nets.INPUTS[nets.ConvNet]),
}


@pytest.mark.parametrize("name", HALVES)
def test_modules_of_float16_are_proved_in_units_of_float16(name):
    """Against eager in float32 with the rounded weights, which is 2^13 times finer."""
    module, texts = HALVES[name]
    source = from_module(module, [parse_input(text) for text in texts], precision=ExportPrecision.FLOAT16)
    runner = load_artifact(Format.ONNX, "model.onnx", build(source, Format.ONNX), Trust.MADE_HERE)
    assert len(find_weights(runner, source).identical) > 0
    oracle, fine = Oracle(source), copy.deepcopy(source.module).float()
    for batch in (1, 7, 100):
        inputs = source.random_inputs({"batch": batch}, 1.0, batch)
        (answers,), (expected,) = runner.bind(inputs).outputs(), oracle.answers(inputs, 1.0)
        assert 0 < compare_output("file", answers, expected) <= 1
        with torch.inference_mode():
            wanted = fine(*(torch.from_numpy(array).float() for array in inputs)).numpy()
        assert np.abs(answers - wanted).max() <= expected.allowed.min()
        with pytest.raises(MismatchError):
            compare_output("file", (expected.eager + np.float16(0.2) * np.abs(expected.eager).max()), expected)


def test_a_file_that_kills_onnxruntime_does_not_kill_this_process():
    """A transformer in float16 is proved where onnxruntime loads it, and refused where that dies."""
    entries = [parse_input(text) for text in nets.INPUTS[nets.Encoder]]
    source = from_module(nets.make(nets.Encoder), entries, precision=ExportPrecision.FLOAT16)
    try:
        data = build(source, Format.ONNX)
    except ExportError as error:
        assert re.search(r"onnxruntime \S+ crashes on the model \(SIG\w+ .*use --dtype float32", str(error))
    else:
        assert load_artifact(Format.ONNX, "model.onnx", data, Trust.MADE_HERE)


class Cancelling(nn.Module):
    def forward(self, x):
        return (x + 3e4) - 3e4


class CancellingBytes(nn.Module):
    def forward(self, u):
        return (u.float() / 3 + 1e9) - 1e9


class CancellingInFloat32(nn.Module):
    def forward(self, x):
        return (x.float() + 1e9) - 1e9


@pytest.mark.parametrize(
    ("module", "text", "precision", "advice"),
    [
        (CancellingInFloat32(), "x=float32[batch,4]", None, "use --dtype float64"),
        (Cancelling(), "x=float32[batch,4]", ExportPrecision.FLOAT16, "use --dtype float32"),
        (CancellingBytes(), BYTES, None, "let forward compute in float64"),
        (CancellingBytes(), BYTES, ExportPrecision.FLOAT64, "let forward compute in float64"),
        (CancellingInFloat32(), "x=float32[batch,4]", ExportPrecision.FLOAT64, "let forward compute in float64"),
    ],
)
def test_the_advice_is_one_that_helps(module, text, precision, advice):
    source = from_module(module, [parse_input(text)], precision=precision)
    with pytest.raises(InexactError, match=f"exported files could not be verified; {advice}$"):
        Oracle(source).answers(source.random_inputs({"batch": 64}, 1.0, 1), 1.0)


class Padded(nn.Module):
    def __init__(self, nested):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(15, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=nested)

    def forward(self, ids):
        return self.encoder(self.embed(ids), src_key_padding_mask=ids == 0)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors_are_refused_with_what_to_type_and_that_helps():
    entries = [parse_input("ids=int64[batch,7]<15")]
    nested = from_module(Padded(nested=True), entries)
    for ids in ([[3, 4, 0, 0]], [[0, 3, 0, 4]], [[1, 2, 3, 4]]):
        with pytest.raises(ExportError, match=r"nested tensors, .* enable_nested_tensor=False$"):
            Oracle(nested).answers((np.array(ids),))
    dense = from_module(Padded(nested=False), entries)
    inputs = dense.random_inputs({"batch": 7}, 1.0, 1)
    (answers,) = (
        load_artifact(Format.ONNX, "model.onnx", build(dense, Format.ONNX), Trust.MADE_HERE).bind(inputs).outputs()
    )
    (expected,) = Oracle(dense).answers(inputs, 1.0)
    assert compare_output("file", answers, expected) <= 1


class Either(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda rows: rows / 3, lambda rows: rows * 7, (x,))


def test_a_branch_of_torch_cond_is_judged_in_float64():
    source = from_module(Either(), [parse_input("x=float32[batch,4]")])
    for seed in range(4):
        (rows,) = source.random_inputs({"batch": 5}, 1.0, seed)
        (expected,) = Oracle(source).answers((rows,), 1.0)
        wanted = rows.astype(np.float64) / 3 if rows.sum() > 0 else rows.astype(np.float64) * 7
        np.testing.assert_allclose(expected.values, wanted, rtol=1e-15)


class Nothing(nn.Module):
    def forward(self, x):
        return [x][:0]


class OnlyFloat32(nn.Module):
    """An operator without float64."""

    def forward(self, x):
        return torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255) if x.dtype == torch.float32 else x.no_such()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Nothing(), "returns nothing; return a tensor"),
        (OnlyFloat32(), "cannot be run in float64, so exported files could not be verified: .*no_such"),
    ],
    ids=["nothing", "float32"],
)
def test_what_cannot_be_judged_is_refused(module, message):
    with pytest.raises(ExportError, match=message):
        source = from_module(module, [parse_input("x=float32[batch,4]")])
        verify(torch_runner("eager", source.module), source)


@pytest.mark.parametrize("odd", [None, 0, 2_999])
@pytest.mark.parametrize("scale", [1.0, 2.0**-30])
def test_few_digits_are_told_wherever_the_odd_number_stands(odd, scale):
    values = (torch.arange(3_000, dtype=torch.float64) % 7 * scale).reshape(2, 1_500)
    if odd is not None:
        values.view(-1)[odd] = scale / 3
    for value in (values, values.t()):
        assert Exactness(2**-23)._few_digits(value) == (odd is None)
