"""Bisect: planted faults are found at their node, in few runs, and good files have none."""

import math
import shutil

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from export.bisection.bisect import bisect
from export.bisection.differences import first_difference
from export.bisection.exact import ExactGraph
from export.bisection.search import Runs, search
from export.bundle.export import export
from export.runners.onnxruntime import onnxruntime_runner
from linreg.errors import LinregError, UntrustedError
from tests import nets

KINDS = {kind.__name__: kind for kind in (nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder, nets.TwoTowers)}
ROWS = 7


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for name, kind in KINDS.items():
        export(nets.make(kind), folder / name, inputs=nets.INPUTS[kind])
    return folder


@pytest.fixture
def copied(bundles, tmp_path):
    return lambda name: shutil.copytree(bundles / name, tmp_path / name)


def operator(op_type):
    def plant(model, node):
        node.op_type = op_type
        del node.attribute[:]

    return plant


def attribute(name, value):
    def plant(model, node):
        kept = [entry for entry in node.attribute if entry.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return plant


def element(place, change):
    """Change the first element of the initializer that a node reads at `place`."""

    def plant(model, node):
        tensor = next(entry for entry in model.graph.initializer if entry.name == node.input[place])
        values = numpy_helper.to_array(tensor).copy()
        values.reshape(-1)[0] = change(values.reshape(-1)[0])
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    return plant


def swapped_inputs(model, node):
    node.input[0], node.input[1] = node.input[1], node.input[0]


def swapped_axes(model, node):
    perm = list(next(entry for entry in node.attribute if entry.name == "perm").ints)
    perm[-1], perm[-2] = perm[-2], perm[-1]
    attribute("perm", perm)(model, node)


FAULTS = {
    "Add to Sub": ("TwoTowers", "Add", 0, operator("Sub")),
    "Mul to Div": ("TwoTowers", "Mul", 0, operator("Div")),
    "Relu to Sigmoid": ("Mlp", "Relu", 0, operator("Sigmoid")),
    "weight times 1.001": ("Mlp", "Gemm", 1, element(1, lambda weight: weight * np.float32(1.001))),
    "alpha": ("Mlp", "Gemm", 0, attribute("alpha", 1.01)),
    "Relu to LeakyRelu": ("ConvNet", "Relu", 0, operator("LeakyRelu")),
    "pool": ("ConvNet", "ReduceMean", 0, lambda model, node: setattr(node, "op_type", "ReduceMax")),
    "convolution's bias": ("ConvNet", "Conv", 0, element(2, lambda bias: bias + np.float32(0.01))),
    "Transpose that no longer fits": ("Encoder", "Transpose", 0, swapped_axes),
    "axis of Softmax": ("Encoder", "Softmax", 0, attribute("axis", 1)),
    "epsilon": ("Encoder", "LayerNormalization", 1, attribute("epsilon", 1e-2)),
    "residual subtracted": ("Encoder", "Add", 1, operator("Sub")),
    "weight set to 0": ("Encoder", "MatMul", 3, element(1, lambda weight: weight * 0)),
    "LSTM's weight": ("Lstm", "LSTM", 0, element(1, lambda weight: weight * np.float32(1.1))),
    "last step": ("Lstm", "Gather", 0, element(1, lambda step: step + 1)),
}


def planted(bundle, op_type, nth, plant):
    """Plant a fault in model.onnx; returns the name of the node."""
    path = bundle / "model.onnx"
    model = onnx.load(path)
    node = [node for node in model.graph.node if node.op_type == op_type][nth]
    name = node.name
    plant(model, node)
    path.write_bytes(model.SerializeToString())
    return name


def most_runs(nodes):
    return math.ceil(math.log2(nodes)) + 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_file_is_found_at_its_node(copied, fault):
    kind, *where = FAULTS[fault]
    bundle = copied(kind)
    name = planted(bundle, *where)
    result = bisect(bundle, module=nets.make(KINDS[kind]))
    assert result.wrong is not None
    assert result.wrong.name == name
    assert result.runs <= most_runs(result.nodes)
    assert "fresh export" in result.wrong.what


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_values_alone(copied, fault):
    """As a fault of the runtime shows itself: nothing in the graph differs from what it should be."""
    kind, *where = FAULTS[fault]
    bundle = copied(kind)
    good = onnx.load(bundle / "model.onnx")
    name = planted(bundle, *where)
    runs = Runs(run)
    wrong = search(onnx.load(bundle / "model.onnx"), ExactGraph(good), inputs_of(kind), runs)
    assert wrong is not None
    assert wrong.name == name
    assert wrong.worst_error is None or wrong.worst_error > 1
    assert runs.count <= most_runs(len(good.graph.node))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_has_no_wrong_node(bundles, kind):
    result = bisect(bundles / kind, module=nets.make(KINDS[kind]))
    assert (result.wrong, result.translation) == (None, "")
    assert result.runs == 2
    assert bisect(bundles / kind).wrong is None


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_fault_of_the_optimiser_is_found_by_prefixes(bundles, nth):
    """The runtime computes one Add as Sub, but only when it optimises the graph; the first Add adds zeros."""
    model = onnx.load(bundles / "Encoder" / "model.onnx")
    node = [node for node in model.graph.node if node.op_type == "Add"][nth]

    def optimising_wrongly(part, values, optimisation):
        for entry in part.graph.node:
            if optimisation == "all" and entry.name == node.name:
                entry.op_type = "Sub"
        return run(part, values, optimisation)

    runs = Runs(optimising_wrongly)
    wrong = search(model, ExactGraph(model), inputs_of("Encoder"), runs)
    assert wrong is not None
    assert wrong.name == node.name
    assert "only with graph optimisation" in wrong.what
    assert runs.count <= most_runs(len(model.graph.node))


def test_one_changed_bit_is_found_although_no_answer_shows_it(copied):
    bundle = copied("ConvNet")
    name = planted(bundle, "Gemm", 0, element(1, lambda weight: np.nextafter(weight, np.float32(9))))
    wrong = bisect(bundle, module=nets.make(nets.ConvNet)).wrong
    assert wrong is not None
    assert wrong.name == name
    assert "differs in 1 of 40 elements" in wrong.what


def test_a_left_out_node_is_found(copied):
    bundle = copied("Mlp")
    model = onnx.load(bundle / "model.onnx")
    model.graph.node[2].input[0] = model.graph.node[0].output[0]
    del model.graph.node[1]
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    wrong = bisect(bundle, module=nets.make(nets.Mlp)).wrong
    assert wrong is not None
    assert (wrong.index, wrong.operator) == (1, "Gemm")
    assert "the operator is Gemm, and Relu in a fresh export" in wrong.what


def test_a_file_of_others_is_not_computed_here_without_its_module(copied):
    bundle = copied("Mlp")
    planted(bundle, "Relu", 0, operator("Sigmoid"))
    with pytest.raises(UntrustedError, match=r"not exported by this user.*--module FILE\.py:NAME"):
        bisect(bundle)


def test_the_parts_of_a_file_of_others_run_in_a_child_process(copied, monkeypatch):
    bundle = copied("Mlp")
    planted(bundle, "Relu", 0, operator("Sigmoid"))
    monkeypatch.setattr("export.bisection.bisect.onnxruntime_runner", lambda *words, **settings: pytest.fail("here"))
    assert bisect(bundle, module=nets.make(nets.Mlp)).wrong is not None


def test_a_file_that_is_missing_needs_the_module_and_its_inputs(copied):
    bundle = copied("Mlp")
    (bundle / "model.onnx").unlink()
    with pytest.raises(LinregError, match="does not exist; to bisect an export that was refused"):
        bisect(bundle, module=nets.make(nets.Mlp))
    result = bisect(bundle, module=nets.make(nets.Mlp), inputs=nets.INPUTS[nets.Mlp])
    assert (result.nodes, result.wrong, result.translation) == (3, None, "")


def test_equal_graphs_do_not_differ(bundles):
    model = onnx.load(bundles / "Encoder" / "model.onnx")
    assert first_difference(model, onnx.load(bundles / "Encoder" / "model.onnx")) is None


def run(part, values, optimisation):
    runner = onnxruntime_runner("part", part.SerializeToString(), optimisation=optimisation)
    try:
        return runner.bind(tuple(values.values())).outputs()
    except Exception as error:
        raise LinregError(str(error)) from error


def inputs_of(kind):
    generator = np.random.default_rng(5)
    shapes = {
        "Mlp": {"x": (16,)},
        "ConvNet": {"x": (3, 8, 8)},
        "Lstm": {"x": (5, 8)},
        "Encoder": {"x": (6, 16)},
        "TwoTowers": {"user": (4,), "item": (6,)},
    }
    return {name: generator.standard_normal((ROWS, *shape)).astype(np.float32) for name, shape in shapes[kind].items()}
