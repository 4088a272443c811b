"""Names that the user chooses for the ends of a graph, against those that torch gives to values inside."""

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from export.formats.capture import capture
from export.formats.onnx import dynamo_model, to_onnx
from export.formats.onnx_names import name_ends
from export.proof.weights import find_weights
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input


class Flipped(nn.Module):
    def forward(self, x):
        return torch.flip(torch.softmax(x, dim=1), (1,))


class Ends(nn.Module):
    """Outputs that are an input, one tensor twice, a parameter twice, and constants."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.arange(3.0))
        self.register_buffer("lost", torch.ones(3), persistent=False)

    def forward(self, x):
        doubled = x * 2
        return x, doubled, doubled, self.kept, self.kept, self.lost, torch.arange(3.0) + 1


def values(graph):
    nodes = [name for node in graph.node for name in (*node.input, *node.output)]
    return sorted({*nodes, *(entry.name for entry in (*graph.input, *graph.initializer))})


@pytest.mark.parametrize("module", [Flipped(), Ends()], ids=["inner", "ends"])
def test_any_name_of_a_value_inside_may_be_chosen(module):
    source = from_module(module, [parse_input("x=float32[batch,4]")])
    made = dynamo_model(source, 18, capture(source))
    (rows,) = source.random_inputs({"batch": 3}, 1.0, 1)
    wanted = onnxruntime_runner("before", made.SerializeToString()).bind((rows,)).outputs()
    for number, name in enumerate(sorted({*values(made.graph)})):
        for place in {number % len(wanted), len(wanted) - 1, len(wanted)}:
            ends = [*(f"o{number}" for number in range(len(wanted))), "x0"]
            ends[place] = name
            model = onnx.ModelProto()
            model.CopyFrom(made)
            name_ends(model.graph, ends[-1:], ends[:-1])
            assert [value.name for value in (*model.graph.output, *model.graph.input)] == ends
            onnx.checker.check_model(model, full_check=True)
            answers = onnxruntime_runner("after", model.SerializeToString()).bind((rows,)).outputs()
            assert [answer.tobytes() for answer in answers] == [answer.tobytes() for answer in wanted]


def test_an_output_that_is_called_like_an_operator_is_exported():
    source = from_module(
        Flipped(), [parse_input("x=float32[batch,4]")], input_names=["val_0"], output_names=["softmax"]
    )
    graph = onnx.load_model_from_string(to_onnx(source)).graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["val_0", "softmax"]


def test_a_parameter_that_is_an_output_keeps_its_key():
    source = from_module(Ends(), [parse_input("x=float32[batch,4]")])
    assert len(find_weights(onnxruntime_runner("model.onnx", to_onnx(source)), source).identical) == 1


def test_names_inside_the_branches_of_an_if_give_way_too():
    def branch(operator):
        node = helper.make_node(operator, ["x"], ["inner"])
        return helper.make_graph([node], operator, [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2])])

    node = helper.make_node("If", ["flag"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))
    graph = helper.make_graph(
        [node],
        "branches",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    name_ends(graph, ["inner_inside", "x"], ["inner"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model, full_check=True)
    evaluate = onnx.reference.ReferenceEvaluator(model).run
    rows = torch.tensor([-1.0, 2.0]).numpy()
    for flag, wanted in ((True, [0.0, 2.0]), (False, [1.0, -2.0])):
        (answer,) = evaluate(["inner"], {"inner_inside": rows, "x": torch.tensor(flag).numpy()})
        assert answer.tolist() == wanted
