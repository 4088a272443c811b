import numpy as np
import pytest
import torch
from torch import nn

from export.formats.capture import capture
from export.source.inputs import Input
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError
from tests import nets


class Returns(nn.Module):
    """Returns what its maker says, of two tensors."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        return self.make(x, x * 2)


X = [parse_input("x=float32[batch,4]")]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda a, b: a, ("output",)),
        (lambda a, b: (a, b), ("output_0", "output_1")),
        (lambda a, b: [a, (b, a + 1)], ("output_0", "output_1", "output_2")),
        (lambda a, b: {"one": a, "two": b}, ("one", "two")),
        (lambda a, b: {"one": (a, b)}, ("one.0", "one.1")),
    ],
    ids=["tensor", "tuple", "nested", "dict", "dict-of-tuple"],
)
def test_outputs_are_named(make, names):
    assert from_module(Returns(make), X).output_names == names


def test_outputs_are_described_with_their_batch_axis():
    source = from_module(Returns(lambda a, b: (a, b.sum(0))), X)
    assert source.metadata["outputs"] == [
        {"name": "output_0", "dtype": "float32", "shape": ["batch", 4]},
        {"name": "output_1", "dtype": "float32", "shape": [4]},
    ]


def test_what_is_no_tensor_is_refused():
    with pytest.raises(ExportError, match="returns str, expected tensors"):
        from_module(Returns(lambda a, b: (a, "text")), X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_names": ["a", "b"]}, r"--input-names: got 2 names \(a, b\), expected 1"),
        ({"output_names": ["a", "b"]}, r"--output-names: got 2 names \(a, b\), expected 1"),
        ({"input_names": [""]}, "expected different names"),
        ({"input_names": ["y"], "output_names": ["y"]}, "used twice among inputs, outputs and parameters: y"),
        ({"input_names": ["weight"]}, "used twice among inputs, outputs and parameters: weight"),
        ({"output_names": ["bias"]}, "used twice among inputs, outputs and parameters: bias"),
    ],
    ids=["too-many-inputs", "too-many-outputs", "empty", "clash", "input-like-weight", "output-like-bias"],
)
def test_names_that_clash_are_refused(options, message):
    with pytest.raises(ExportError, match=message):
        from_module(nn.Linear(4, 2), X, **options)


def test_duplicate_names_are_refused():
    towers = [parse_input(text) for text in nets.INPUTS[nets.TwoTowers]]
    with pytest.raises(ExportError, match="--input-names: got a, a, expected different names"):
        from_module(nets.make(nets.TwoTowers), towers, input_names=["a", "a"])


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_inputs_is_that_of_forward(count):
    towers = [parse_input(f"x{place}=float32[batch,4]") for place in range(count)]
    with pytest.raises(ExportError, match=rf"forward takes user, item; got {count} inputs"):
        from_module(nets.make(nets.TwoTowers), towers)


def test_inputs_of_the_wrong_shape_are_named():
    with pytest.raises(ExportError, match=r"does not run at batch 2: RuntimeError: .*check --input"):
        from_module(nn.Linear(4, 2), [parse_input("x=float32[batch,5]")])


def test_a_fixed_shape_must_be_asked_for():
    with pytest.raises(ExportError, match=r"input 'x' has the fixed shape \[8, 4\]; .*--static"):
        from_module(nn.Linear(4, 2), [parse_input("x=float32[8,4]")])
    assert from_module(nn.Linear(4, 2), [parse_input("x=float32[8,4]")], static=True).inputs[0].shape == (8, 4)


def test_whole_numbers_are_drawn_below_their_limit():
    entry = parse_input("ids=int64[batch,50]<7")
    values = entry.random({"batch": 40}, 1e4, np.random.default_rng(0))
    assert values.dtype == np.int64
    assert set(values.ravel()) == set(range(7))
    embedding = nn.Sequential(nn.Embedding(7, 3))
    assert from_module(embedding, [entry]).metadata["outputs"][0]["shape"] == ["batch", 50, 3]


def test_elements_of_a_batch():
    assert Input(name="x", dtype=np.dtype("float32"), shape=("batch", 3, 8)).elements({"batch": 10}) == 240


def test_the_module_is_asked_in_eval_mode():
    torch.manual_seed(0)
    assert from_module(nets.make(nets.InTrainMode), X).output_names == ("output",)


def test_a_parameter_may_be_an_output():
    module = nn.Linear(4, 2)
    module.forward = lambda x: (nn.functional.linear(x, module.weight), module.weight)
    assert from_module(module, X).output_names == ("output_0", "output_1")


class Within(nn.Linear):
    """Part of its forward becomes a graph of its own inside of the exported one."""

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x).float()


def test_no_graph_inside_of_a_graph_names_a_file_of_this_machine():
    program = capture(from_module(Within(4, 2), X))
    graphs = [part for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    assert len(graphs) > 1
    assert not any("stack_trace" in node.meta for graph in graphs for node in graph.graph.nodes)
