"""What a module computes from its tensors is found in model.onnx, and good files of all kinds of layers pass."""

import functools

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from export.formats.onnx import to_onnx
from export.proof.weights import find_weights
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError

IMAGE, SEQUENCE, ROWS, IDS = (
    "x=float32[batch,3,8,8]",
    "x=float32[batch,5,8]",
    "x=float32[batch,8]",
    "x=int64[batch,5]<20",
)


class Parts(nn.Module):
    """Parts by name, and a function of them and the input."""

    def __init__(self, compute, **parts):
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, nn.Module | nn.Parameter):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)
        self.compute = compute

    def forward(self, x):
        return self.compute(self, x)


def untrained_residual():
    """The exporter leaves out the folded biases, which are 0."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)),
    )


def equal_layers():
    """The exporter keeps one of two equal tensors, folded or not."""
    layers = [nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 8)]
    for layer in layers[3], layers[5]:
        layer.load_state_dict(layers[0].state_dict())
    return nn.Sequential(*layers, nn.ReLU(), layers[0])


def two_norms():
    return trained(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.BatchNorm2d(8)))


def branches():
    """A convolution followed by two BatchNorms, two by one, and two that share a weight: not all are folded."""
    convolutions = [nn.Conv2d(3, 8, 3) for _ in range(5)]
    convolutions[4].weight = convolutions[3].weight

    def compute(self, x):
        first = self.a(self.first(x)) + self.b(self.first(x))
        second = self.c(self.second(x)) + self.c(self.third(x))
        return first + second + self.d(self.fourth(x)) + self.e(self.fifth(x))

    names = ("first", "second", "third", "fourth", "fifth")
    norms = {name: nn.BatchNorm2d(8) for name in "abcde"}
    return trained(Parts(compute, **dict(zip(names, convolutions, strict=True)), **norms))


def trained(module):
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight, 1, 0.2)
            nn.init.normal_(part.bias)
    return module


def norms():
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)),
        *(nn.Flatten(2), nn.Linear(36, 8), nn.LayerNorm(8), nn.RMSNorm(8)),
    )


def parametrized():
    layers = [weight_norm(nn.Linear(8, 12)), nn.ReLU(), spectral_norm(nn.Linear(12, 6)), weight_norm(nn.Linear(6, 4))]
    for layer in layers[0], layers[3]:
        for value in layer.parameters():
            value.data.add_(0.1 * torch.randn_like(value))
    return nn.Sequential(*layers)


def computed():
    """Constants that the exporter computes: casts, products, masks, slices, and a BatchNorm written by hand."""

    def compute(self, x):
        half = torch.nn.functional.linear(x, self.narrow.float(), self.brain.float())
        masked = torch.nn.functional.linear(half, self.weight.masked_fill(self.mask, 0.0) * self.factor)
        steps = (masked @ (self.steps.float() * self.step)) * self.logarithm.exp()
        factor = self.gamma * (self.variance + 1e-5).rsqrt()
        return (steps - self.mean) * factor + self.places[:, : x.shape[1]] + self.constant

    return Parts(
        compute,
        narrow=nn.Parameter(torch.randn(8, 8).half()),
        brain=nn.Parameter(torch.randn(8).bfloat16()),
        weight=nn.Parameter(torch.randn(8, 8)),
        mask=torch.rand(8, 8) > 0.5,
        factor=nn.Parameter(torch.randn(8, 1)),
        steps=torch.randint(-127, 127, (8, 8), dtype=torch.int8),
        step=torch.rand(8) / 100,
        logarithm=nn.Parameter(torch.tensor(0.3)),
        gamma=nn.Parameter(torch.randn(8)),
        variance=torch.rand(8) + 0.5,
        mean=torch.randn(8),
        places=nn.Parameter(torch.randn(1, 16, 8)),
        constant=nn.Parameter(torch.full((8,), 0.3)),
    )


def cells():
    def compute(self, x):
        hidden = self.gru(self.lstm(x[:, 0])[0])
        return self.rnn(x)[0][:, -1] + hidden

    return Parts(
        compute, lstm=nn.LSTMCell(8, 6), gru=nn.GRUCell(6, 12), rnn=nn.RNN(8, 6, bidirectional=True, batch_first=True)
    )


def embeddings():
    return Parts(
        lambda self, x: self.head(self.words(x)) + self.bag(x)[:, None],
        words=nn.Embedding(20, 8, padding_idx=0),
        bag=nn.EmbeddingBag(20, 3, mode="sum"),
        head=nn.Linear(8, 3),
    )


def in_float16():
    return Parts(lambda self, x: self.layer(x.half()).float(), layer=nn.Linear(8, 6).half())


NETS = {
    untrained_residual: IMAGE,
    equal_layers: ROWS,
    two_norms: IMAGE,
    branches: IMAGE,
    norms: IMAGE,
    parametrized: ROWS,
    computed: SEQUENCE,
    cells: SEQUENCE,
    embeddings: IDS,
    in_float16: ROWS,
}


@functools.cache
def exported(make):
    torch.manual_seed(20261126)
    source = from_module(make().eval(), [parse_input(NETS[make])])
    return source, to_onnx(source)


def found_in(data, source):
    return find_weights(onnxruntime_runner("model.onnx", data), source)


def floating(data):
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load_model_from_string(data).graph.initializer}
    return {name: array for name, array in tensors.items() if array.dtype.kind == "f" and array.size}


def with_tensor(data, name, array):
    model = onnx.load_model_from_string(data)
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    return model.SerializeToString()


@pytest.mark.parametrize("make", NETS)
def test_every_tensor_that_the_module_reads_is_found(make):
    source, data = exported(make)
    found = found_in(data, source)
    assert set(found.missing) == {key for key in source.module.state_dict() if key.endswith("num_batches_tracked")}
    assert set(found.missing) == found.unused
    tensors = floating(data)
    assert all(is_constant(tensors[name]) for name in found.constants if name in tensors)


def is_constant(array):
    """Such as the ones that a GroupNorm is written with."""
    return (array == array.flat[0]).all()


@pytest.mark.parametrize("make", NETS)
def test_one_bit_in_any_tensor_is_refused_or_the_tensor_is_named(make):
    source, data = exported(make)
    refused = 0
    for name, array in floating(data).items():
        changed = array.copy()
        changed.reshape(-1).view(f"u{array.itemsize}")[array.size // 2] ^= 1
        try:
            found = found_in(with_tensor(data, name, changed), source)
        except MismatchError as error:
            assert "differs from the state_dict" in str(error)
            refused += 1
        else:
            whole = found_in(data, source)
            assert name in found.constants or whole.close or found.missing != whole.missing
    assert refused or make in (parametrized, computed)


def test_a_computed_tensor_that_differs_by_more_than_rounding_is_refused():
    source, data = exported(parametrized)
    assert found_in(data, source).close  # a norm is summed in another order
    state = source.module.state_dict()
    for name, array in floating(data).items():
        if name in state:
            continue
        changed = array.copy()
        changed.reshape(-1)[abs(array).argmax()] *= np.float32(1.001)
        with pytest.raises(MismatchError, match=rf"'{name}' differs from"):
            found_in(with_tensor(data, name, changed), source)


def test_another_epsilon_is_named_though_outputs_hardly_move():
    torch.manual_seed(5)
    source = from_module(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU6()), [parse_input(ROWS)])
    data = to_onnx(source)
    assert found_in(data, source).constants == ()  # nor the 0 and 6 of ReLU6
    model = onnx.load_model_from_string(data)
    (node,) = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    (epsilon,) = [attribute for attribute in node.attribute if attribute.name == "epsilon"]
    epsilon.f *= 1.1
    assert found_in(model.SerializeToString(), source).constants == (f"{node.output[0]}: epsilon",)


def test_a_piece_of_a_tensor_does_not_vouch_for_the_rest():
    """Three matrices in one: a fault in the third is seen although the first two are right."""
    torch.manual_seed(5)
    names = ("first", "second", "third")
    source = from_module(
        Parts(
            lambda self, x: torch.nn.functional.linear(x, torch.cat([getattr(self, name) for name in names])),
            **{name: nn.Parameter(torch.randn(8, 8)) for name in names},
        ),
        [parse_input(ROWS)],
    )
    data = to_onnx(source)
    ((name, array),) = [(name, array) for name, array in floating(data).items() if array.size == 192]
    assert found_in(data, source).missing == ()
    for place in 191, 100, 3:
        changed = array.copy()
        changed.reshape(-1)[place] += 1
        with pytest.raises(MismatchError, match=f"'{name}' differs from"):
            found_in(with_tensor(data, name, changed), source)
