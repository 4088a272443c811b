"""The graph of an affine .onnx file is compared with the weights: no backdoor, nothing unused, nothing outside."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.bundle.affine_graph import check_affine_graph
from export.bundle.build import ExportOptions, build
from export.formats.names import Format
from export.precision import ExportPrecision
from export.source.source import from_checkpoint
from linreg.card import card_from_json
from linreg.checkpoint import load
from linreg.errors import MismatchError
from linreg.json_files import read_json


@pytest.mark.parametrize("precision", [None, *ExportPrecision])
@pytest.mark.parametrize("static", [False, True])
def test_every_affine_file_of_ours_passes(penguins, precision, static):
    checkpoint = load(penguins)
    source = from_checkpoint(checkpoint, precision=precision, static=static)
    check_affine_graph("model.onnx", build(source, Format.ONNX, ExportOptions(opset=21)), checkpoint.card)


def backdoor(model):
    """Another answer for one row in a million: x[:, 0] == 12345 gives 0."""
    graph, gemm = model.graph, model.graph.node[0]
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([0], np.int64), "first"),
            numpy_helper.from_array(np.array(12345, np.float32), "trigger"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
        ]
    )
    gemm.output[0] = "honest"
    graph.node.extend(
        [
            helper.make_node("Gather", [graph.input[0].name, "first"], ["column"], axis=1),
            helper.make_node("Equal", ["column", "trigger"], ["hit"]),
            helper.make_node("Where", ["hit", "zero", "honest"], [graph.output[0].name]),
        ]
    )
    onnx.checker.check_model(model, full_check=True)


def swap_names(model):
    for entry in model.metadata_props:
        if entry.key == "linreg.features":
            entry.value = json.dumps(list(reversed(json.loads(entry.value))))


def other_target(model):
    next(entry for entry in model.metadata_props if entry.key == "linreg.target").value = '"x"'


def other_ranges(model):
    next(entry for entry in model.metadata_props if entry.key == "linreg.ranges").value = "[[0, 1], [0, 1], [0, 1]]"


def names_twice(model):
    model.metadata_props.add(key="linreg.features", value='["a", "b", "c"]')


def one_bit(model):
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1).view(np.uint32)[0] ^= 1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def scaled(model):
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", 1.001))


def unused_weight(model):
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.float32), "unused"))


def outside(model):
    """The bytes that onnxruntime would read from the folder where it runs are in no manifest."""
    for tensor in model.graph.initializer:
        Path(tensor.name).write_bytes(numpy_helper.to_array(tensor).tobytes())
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=tensor.name)


def function(model):
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(
        helper.make_function("", "Gemm", ["a"], ["b"], [node], [helper.make_opsetid("", 18)], ["transB"])
    )


def other_domain(model):
    model.graph.node[0].domain = "evil"


def second_output(model):
    model.graph.output.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3]))


@pytest.mark.parametrize(
    "change",
    [
        backdoor,
        swap_names,
        other_target,
        other_ranges,
        names_twice,
        one_bit,
        scaled,
        unused_weight,
        outside,
        function,
        other_domain,
        second_output,
    ],
    ids=lambda change: change.__name__,
)
def test_anything_else_does_not(penguins, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = card_from_json(penguins / "card.json", read_json(penguins / "card.json"))
    model = onnx.load(penguins / "model.onnx")
    check_affine_graph("model.onnx", model.SerializeToString(), card)
    change(model)
    with pytest.raises(MismatchError, match="an affine model is one Gemm with the names in its card"):
        check_affine_graph("model.onnx", model.SerializeToString(), card)
