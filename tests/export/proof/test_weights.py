"""Weights are found in model.onnx by content, and damage to any of them is caught."""

import functools

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from export.formats.onnx import to_onnx
from export.proof.comparison import compare_outputs, run_case
from export.proof.influence import coverage
from export.proof.oracle import oracle_of
from export.proof.weights import find_weights
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError
from linreg.manifest import read_manifest


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        nn.init.normal_(self.attention.in_proj_bias)
        nn.init.normal_(self.attention.out_proj.bias)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.layer = kind(4, 6, batch_first=True, **options)

    def forward(self, x):
        return self.layer(x)[0]


class TiedHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids):
        return self.head(torch.tanh(self.embedding(ids)))


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.register_buffer("mean", torch.randn(8))
        self.register_buffer("scale", torch.tensor(1.7))
        self.register_buffer("unused", torch.randn(9))

    def forward(self, x):
        return (self.layer(x) - self.mean) * self.scale


def convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, groups=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=False, groups=2),
        nn.BatchNorm2d(8, affine=False),
        nn.ConvTranspose2d(8, 4, 3, groups=2),
        nn.BatchNorm2d(4),
    )


NETS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3)), "x=float32[batch,5,8]"),
    "convolutions": (convolutions, "x=float32[batch,3,8,8]"),
    "linear-batchnorm": (lambda: nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Tanh()), "x=float32[batch,8]"),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), "x=float32[batch,3,4]"),
    "gru": (lambda: Recurrent(nn.GRU), "x=float32[batch,3,4]"),
    "attention": (Attention, "x=float32[batch,5,16]"),
    "tied-head": (TiedHead, "ids=int64[batch,5]<20"),
    "buffers": (Buffers, "x=float32[batch,5,8]"),
}
WITHOUT_INFLUENCE = {
    "convolutions": {"1.num_batches_tracked", "4.num_batches_tracked", "6.num_batches_tracked"},
    "linear-batchnorm": {"1.num_batches_tracked"},
    "buffers": {"unused"},
}


@functools.cache
def exported(name):
    """A network whose BatchNorms have seen data, and its ONNX file."""
    make, text = NETS[name]
    torch.manual_seed(20261126)
    module, entry = make(), parse_input(text)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight, 1, 0.2)
                nn.init.normal_(part.bias)
    source = from_module(module, [entry])
    return source, to_onnx(source)


def weights_of(data):
    """The floating initializers of more than one element, by onnx alone."""
    model = onnx.load_model_from_string(data)
    tensors = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer}
    return {name: array for name, array in tensors.items() if array.dtype.kind == "f" and array.size > 1}


def with_weights(data, changed):
    model = onnx.load_model_from_string(data)
    for tensor in model.graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(numpy_helper.from_array(changed[tensor.name], tensor.name))
    return onnxruntime_runner("planted", model.SerializeToString())


def judge(runner, source):
    """Weights, then one case, which is less than `verify` tries."""
    find_weights(runner, source)
    inputs = source.random_inputs({"batch": 7}, 1.0, 3)
    names = tuple(map(repr, source.output_names))
    compare_outputs("planted", names, run_case(runner, inputs, "a case"), oracle_of(source).answers(inputs, 1.0))


@pytest.mark.parametrize("name", NETS)
def test_every_weight_is_found(name):
    source, data = exported(name)
    runner = onnxruntime_runner("model.onnx", data)
    found = find_weights(runner, source)
    assert set(found.missing) == WITHOUT_INFLUENCE.get(name, set())
    assert found.identical | found.folded | set(found.missing) == set(source.module.state_dict())
    assert bool(found.folded) == ("batchnorm" in name or name == "convolutions")
    judge(runner, source)


def one_bit(array, place):
    array.reshape(-1).view(np.uint32)[place] ^= 1


def one_weight(array, place):
    array.reshape(-1)[place] *= np.float32(1.001)


def rounded(array, place):
    array[...] = array.astype(np.float16)


def rounded_to_bfloat16(array, place):
    array[...] = torch.from_numpy(array.copy()).bfloat16().float().numpy()


def zeroed(array, place):
    array[...] = 0


@pytest.mark.parametrize("fault", [one_bit, one_weight, rounded, rounded_to_bfloat16, zeroed])
@pytest.mark.parametrize("name", NETS)
def test_a_fault_in_any_tensor_of_the_file_is_caught(name, fault):
    source, data = exported(name)
    weights = weights_of(data)
    assert weights
    for key, array in weights.items():
        changed = array.copy()
        nonzero = np.flatnonzero(array)
        if not len(nonzero):
            continue  # the initial state of an LSTM
        fault(changed, nonzero[len(nonzero) // 2])
        assert changed.tobytes() != array.tobytes()
        with pytest.raises(MismatchError):
            judge(with_weights(data, {key: changed}), source)


@pytest.mark.parametrize("name", [name for name in NETS if name != "tied-head"])  # has one tensor
def test_two_tensors_of_the_same_size_swapped_are_caught(name):
    source, data = exported(name)
    weights = weights_of(data)
    for first, one in weights.items():
        for second, two in weights.items():
            if first < second and one.size == two.size and one.tobytes() != two.tobytes():
                swapped = {first: two.reshape(one.shape), second: one.reshape(two.shape)}
                with pytest.raises(MismatchError):
                    judge(with_weights(data, swapped), source)


def test_the_message_names_the_damaged_tensor_and_what_it_should_be():
    source, data = exported("mlp")
    (key,) = [key for key, array in weights_of(data).items() if array.shape == (8, 16)]
    changed = weights_of(data)[key]
    one_bit(changed, 5)
    with pytest.raises(MismatchError, match=rf"tensor '{key}' differs from the state_dict's '0.weight' in 1 of 128 el"):
        find_weights(with_weights(data, {key: changed}), source)


def test_parametrized_weights_that_are_folded_to_a_constant_are_no_damaged_copies():
    """At first, weight_norm computes almost the values that it is given."""
    torch.manual_seed(1)
    layers = [nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)) for _ in range(2)]
    source = from_module(nn.Sequential(*layers), [parse_input("x=float32[batch,5,8]")])
    found = find_weights(onnxruntime_runner("model.onnx", to_onnx(source)), source)
    assert all(".parametrizations." in key for key in found.missing)


def test_what_is_not_in_the_file_is_covered_by_the_outputs_or_named():
    """A factor of 1e-9 hides a small fault in `faint`; nothing depends on `unused`."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)
            self.strong, self.faint = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))
            self.register_buffer("unused", torch.randn(8))
            self.register_buffer("count", torch.tensor(3))

        def forward(self, x):
            return self.layer(x) * self.strong + 1e-9 * self.faint

    torch.manual_seed(2)
    source = from_module(Sum(), [parse_input("x=float32[batch,8]")])
    inputs = source.random_inputs({"batch": 7}, 1.0, 1)
    oracle = oracle_of(source)
    case = (inputs, oracle.answers(inputs, 1.0))
    before = {key: value.clone() for key, value in source.module.state_dict().items()}
    found = coverage(oracle, [case], ["strong", "faint", "unused", "count"])
    assert found.covered == ("strong",)
    assert found.unproved == ("faint",)
    assert found.without_influence == ("unused", "count")
    assert all(torch.equal(value, before[key]) for key, value in source.module.state_dict().items())
    assert oracle.float64.outputs_with(inputs, {})[0].tobytes() == case[1][0].values.tobytes()


NET = """
import torch
from torch import nn

def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
"""


def test_export_shows_how_many_weights_were_found_and_names_the_rest(linreg, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    ended = linreg(
        "export", "--module", f"{tmp_path / 'net.py'}:make_net", "--input", "x=float32[2,4]", "--static",
        "-f", "onnx", "-f", "torchscript", "-o", tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 0
    assert "weights" in ended.out and "8 of 8" in ended.out and "9 of 9" in ended.out
    assert "model.onnx: not in the file, since no output depends on them: 1.num_batches_tracked\n" in ended.err
    proofs = {entry.name: entry.proof for entry in read_manifest(tmp_path / "out").files}
    assert proofs["model.onnx"]["weights"] == {
        "found": 8,
        "folded": 6,
        "total": 8,
        "covered": [],
        "unproved": [],
        "without_influence": ["1.num_batches_tracked"],
        "close": [],
        "constants": [],
    }
    assert proofs["model.onnx"]["parameters_kept"] == 2
    assert proofs["model.torchscript"]["weights"]["found"] == 9
