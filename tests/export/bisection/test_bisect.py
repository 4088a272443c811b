"""Bisect: planted faults are found at their node, in few runs, and good files have none."""

import functools
import math
import shutil

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from export.bisection.bisect import bisect
from export.bisection.differences import first_difference
from export.bisection.exact import ExactGraph
from export.bisection.inputs import inputs_to_run
from export.bisection.search import Cause, Runs, search
from export.bundle.export import export
from export.formats.onnx import to_onnx
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import LinregError, ModelError, UntrustedError
from tests import nets

KINDS = {kind.__name__: kind for kind in (nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder, nets.TwoTowers)}
ROWS = 7


@pytest.fixture(scope="module")
def good():
    """Each module as ONNX, exported once."""
    models = {}

    def of(kind):
        if kind not in models:
            source = from_module(nets.make(KINDS[kind]), [parse_input(text) for text in nets.INPUTS[KINDS[kind]]])
            models[kind] = onnx.load_from_string(to_onnx(source))
        return models[kind]

    return of


@pytest.fixture(scope="module")
def exact(good):
    """The same modules in float64, each made once."""
    return functools.cache(lambda kind: ExactGraph(good(kind)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "Mlp"
    export(nets.make(nets.Mlp), folder, inputs=nets.INPUTS[nets.Mlp])
    return folder


@pytest.fixture
def mlp(exported, tmp_path):
    """A bundle that a test may change."""
    return shutil.copytree(exported, tmp_path / "Mlp")


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


def planted(good, kind, op_type, nth, plant):
    """A model with a fault, and the node that has it."""
    model = onnx.ModelProto()
    model.CopyFrom(good(kind))
    node = [node for node in model.graph.node if node.op_type == op_type][nth]
    name = node.name
    plant(model, node)
    return model, name


def plant_in_file(bundle):
    model = onnx.load(bundle / "model.onnx")
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type = "Sigmoid"
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    return node.name


def most_runs(nodes):
    return math.ceil(math.log2(nodes)) + 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_file_is_found_at_its_node(good, exact, fault):
    kind, *where = FAULTS[fault]
    model, name = planted(good, kind, *where)
    runs = Runs(run)
    wrong = search(model, exact(kind), inputs_of(kind), runs, first_difference(model, good(kind)))
    assert wrong is not None
    assert (wrong.name, wrong.cause) == (name, Cause.FILE)
    assert runs.count == 1
    assert "fresh export" in wrong.what
    assert wrong.worst_error is None or wrong.worst_error > 1
    assert shows(wrong)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_values_alone(good, exact, fault):
    """As a fault of the runtime shows itself: nothing in the graph differs from what it should be."""
    kind, *where = FAULTS[fault]
    model, name = planted(good, kind, *where)
    runs = Runs(run)
    wrong = search(model, exact(kind), inputs_of(kind), runs)
    assert wrong is not None
    assert (wrong.name, wrong.cause) == (name, Cause.RUNTIME)
    assert wrong.worst_error is None or wrong.worst_error > 1
    assert runs.count <= most_runs(len(model.graph.node))
    assert shows(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_has_no_wrong_node(good, exact, kind):
    runs = Runs(run)
    assert first_difference(good(kind), good(kind)) is None
    assert search(good(kind), exact(kind), inputs_of(kind), runs) is None
    assert runs.count == 2


def test_a_good_bundle_has_no_wrong_node(exported):
    result = bisect(exported, module=nets.make(nets.Mlp))
    assert (result.wrong, result.translation, result.runs) == (None, "", 2)
    assert bisect(exported).wrong is None


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_fault_of_the_optimiser_is_found_by_prefixes(good, exact, nth):
    """The runtime computes one Add as Sub, but only when it optimises the graph; the first Add adds zeros."""
    model = good("Encoder")
    node = [node for node in model.graph.node if node.op_type == "Add"][nth]

    def optimising_wrongly(part, values, optimisation):
        for entry in part.graph.node:
            if optimisation == "all" and entry.name == node.name:
                entry.op_type = "Sub"
        return run(part, values, optimisation)

    runs = Runs(optimising_wrongly)
    wrong = search(model, exact("Encoder"), inputs_of("Encoder"), runs)
    assert wrong is not None
    assert (wrong.name, wrong.cause) == (node.name, Cause.OPTIMISER)
    assert "only with graph optimisation" in wrong.what
    assert runs.count <= most_runs(len(model.graph.node))


def test_one_changed_bit_is_found_although_no_answer_shows_it(good, exact):
    change = element(1, lambda weight: np.nextafter(weight, np.float32(9)))
    model, name = planted(good, "ConvNet", "Gemm", 0, change)
    difference = first_difference(model, good("ConvNet"))
    wrong = search(model, exact("ConvNet"), inputs_of("ConvNet"), Runs(run), difference)
    assert wrong is not None
    assert wrong.name == name
    assert "differs in 1 of 40 elements" in wrong.what
    assert wrong.worst_error is not None and wrong.worst_error <= 1


def test_a_left_out_node_is_found_and_shown(good, exact):
    model, _ = planted(good, "Mlp", "Relu", 0, lambda model, node: model.graph.node.remove(node))
    model.graph.node[1].input[0] = model.graph.node[0].output[0]
    difference = first_difference(model, good("Mlp"))
    wrong = search(model, exact("Mlp"), inputs_of("Mlp"), Runs(run), difference)
    assert wrong is not None
    assert (wrong.index, wrong.operator) == (1, "Gemm")
    assert "the operator is Gemm, and Relu in a fresh export" in wrong.what
    assert shows(wrong)


def test_a_changed_function_is_found_at_the_node_that_calls_it():
    model, changed = of_functions("Tanh"), of_functions("Sigmoid")
    given = {"x": np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)}
    assert search(model, ExactGraph(model), given, Runs(run)) is None
    wrong = search(changed, ExactGraph(model), given, Runs(run), first_difference(changed, model))
    assert wrong is not None
    assert (wrong.name, wrong.operator) == ("second", "Twice")
    assert "the function Once differs" in wrong.what
    assert shows(wrong)


@pytest.mark.parametrize("inner", ["Sub", "Mul"])
def test_a_fault_in_a_branch_is_found_at_its_if(inner):
    model, changed = of_branches("Add"), of_branches(inner)
    given = {"x": np.linspace(1, 2, 6, dtype=np.float32).reshape(2, 3)}
    assert search(model, ExactGraph(model), given, Runs(run)) is None
    for difference in (first_difference(changed, model), None):
        wrong = search(changed, ExactGraph(model), given, Runs(run), difference)
        assert wrong is not None
        assert wrong.name == "branch"
        assert shows(wrong)


def test_a_file_of_others_is_not_computed_here_without_its_module(mlp):
    plant_in_file(mlp)
    with pytest.raises(UntrustedError, match=r"not exported by this user.*--module FILE\.py:NAME"):
        bisect(mlp)


def test_the_parts_of_a_file_of_others_run_in_a_child_process(mlp, monkeypatch):
    name = plant_in_file(mlp)
    monkeypatch.setattr("export.bisection.bisect.onnxruntime_runner", lambda *words, **settings: pytest.fail("here"))
    wrong = bisect(mlp, module=nets.make(nets.Mlp)).wrong
    assert wrong is not None
    assert wrong.name == name


def test_a_file_that_is_missing_needs_the_module_and_its_inputs(mlp):
    (mlp / "model.onnx").unlink()
    with pytest.raises(LinregError, match="does not exist; to bisect an export that was refused"):
        bisect(mlp, module=nets.make(nets.Mlp))
    result = bisect(mlp, module=nets.make(nets.Mlp), inputs=nets.INPUTS[nets.Mlp])
    assert (result.nodes, result.wrong, result.translation) == (3, None, "")


def test_an_older_file_is_not_bisected_for_an_export_that_was_refused(mlp):
    """The file in the bundle is another one than that which was refused."""
    plant_in_file(mlp)
    np.savez(mlp / "model.onnx.failed-inputs.npz", x=np.ones((3, 16), np.float32))
    with pytest.raises(LinregError, match="its export was refused"):
        bisect(mlp, module=nets.make(nets.Mlp))
    assert bisect(mlp, module=nets.make(nets.Mlp), inputs=nets.INPUTS[nets.Mlp]).wrong is None


def test_inputs_are_those_that_failed_then_those_of_a_vector_then_random(mlp):
    model, path = onnx.load(mlp / "model.onnx"), mlp / "model.onnx"
    vector = onnx.numpy_helper.to_array(onnx.load_tensor(mlp / "test_data_set_1" / "input_0.pb"))
    assert len(vector) == ROWS
    np.testing.assert_array_equal(inputs_to_run(path, model, None)["x"], vector)
    failed = np.full((3, 16), 2, np.float32)
    np.savez(mlp / "model.onnx.failed-inputs.npz", x=failed)
    np.testing.assert_array_equal(inputs_to_run(path, model, None)["x"], failed)
    np.savez(mlp / "model.onnx.failed-inputs.npz", x=failed.astype(np.int64))
    with pytest.raises(ModelError, match="are not the inputs x"):
        inputs_to_run(path, model, None)


def shows(wrong):
    """The part shows the fault: onnxruntime's outputs leave the bound around the expected ones, or it does not run."""
    try:
        found = run(wrong.part, wrong.inputs, "all" if wrong.cause is Cause.OPTIMISER else "disabled")
    except LinregError:
        return True
    outputs = zip([entry.name for entry in wrong.part.graph.output], found, strict=True)
    return any(
        array.shape != (wanted := wrong.expected[name]).values.shape
        or array.dtype != wanted.eager.dtype
        or bool((np.abs(array - wanted.values) > wanted.allowed).any())
        for name, array in outputs
        if name in wrong.expected
    )


def of_functions(inner):
    """Two calls of a function that calls another one."""
    once = helper.make_function(
        "own", "Once", ["x"], ["y"], [helper.make_node(inner, ["x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    twice = helper.make_function(
        "own",
        "Twice",
        ["x"],
        ["y"],
        [helper.make_node("Once", ["x"], ["a"], domain="own"), helper.make_node("Neg", ["a"], ["y"])],
        [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Twice", ["a"], ["y"], name="second", domain="own"),
    ]
    return of_nodes(nodes, [once, twice])


def of_branches(operator):
    """An If whose branches read a value and an initializer from outside."""
    branches = {
        key: helper.make_graph(
            [helper.make_node(kind, ["half", "weight"], ["out"])], key, [], [helper.make_empty_tensor_value_info("out")]
        )
        for key, kind in (("then_branch", operator), ("else_branch", "Mul"))
    }
    nodes = [
        helper.make_node("Mul", ["x", "weight"], ["half"], name="half"),
        helper.make_node("ReduceSum", ["half"], ["sum"], keepdims=0, name="sum"),
        helper.make_node("Greater", ["sum", "weight"], ["positive"], name="positive"),
        helper.make_node("If", ["positive"], ["y"], name="branch", **branches),
    ]
    return of_nodes(nodes, [])


def of_nodes(nodes, functions):
    rows = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 3]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.array(0.4, np.float32), "weight")
    graph = helper.make_graph(nodes, "made", rows[:1], rows[1:], [weight])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


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


class Windows(nn.Module):
    """Needs at least twenty samples, as its card says and its file does not."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Conv1d(1, 2, 20)

    def forward(self, x):
        return torch.tanh(self.filter(x)).mean(2)


def test_the_inputs_of_a_module_are_those_of_its_card(tmp_path):
    torch.manual_seed(0)
    module = Windows()
    bundle = export(module, tmp_path / "net", inputs=["x=float32[batch,1,n:20..40]"], budget="0s")
    assert bisect(bundle, module=module).wrong is None
