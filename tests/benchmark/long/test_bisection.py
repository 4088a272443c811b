"""How many planted single-node faults bisection finds, in how many runs of onnxruntime, and that good files have none.

50 faults are drawn from all that `planting` can plant in eight networks. Each is planted three times: in the file,
which is compared with a fresh export; in the runtime, so that only values show it; and in the runtime's graph
optimisation. Faults below rounding, such as one bit of a weight, cannot be seen in values. Whether a node's values in
float64 differ at all is decided by onnx's reference evaluator on the whole graph, apart from the code of bisection.
"""

import math
import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop

from export.bisection.cuts import made_values, prefix
from export.bisection.differences import first_difference
from export.bisection.exact import ExactGraph
from export.bisection.search import Runs, WrongNode, search
from export.formats.onnx import to_onnx
from export.precision import ExportPrecision
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.source import Source
from export.source.user_module import parse_input
from linreg.errors import LinregError
from tests import nets
from tests.export.bisection.planting import Fault, planted, possible_faults

FAULTS = 50
SEED = 20261126
VISIBLE = 1e-4
"""A fault is visible if a value of its node moves by more than this, relative to the node's largest value."""

TINY = 1e-30


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, -1])


class Cond(nn.Module):
    """An If, with a layer in each branch."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 3)
        self.right = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(x)
        branches = (lambda rows: torch.relu(self.left(rows)), lambda rows: self.right(rows) * 2)
        return torch.cond(hidden.sum() > 0, *branches, (hidden,)) + 1


class Repeated(nn.Module):
    """A Loop."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        def step(count: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            return count + 1, torch.tanh(self.layer(rows))

        return while_loop(lambda count, rows: count < 3, step, (torch.tensor(0), torch.relu(x)))[1] * 2


KINDS: dict[type[nn.Module], list[str]] = {
    **{kind: nets.INPUTS[kind] for kind in (nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder, nets.TwoTowers)},
    Gru: ["x=float32[batch,5,8]"],
    Cond: ["x=float32[batch,4]"],
    Repeated: ["x=float32[batch,4]"],
}
OTHER_OPSET = 21
ELSE: list[tuple[type[nn.Module], ExportPrecision | None]] = [
    *((kind, None) for kind in (nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder, Gru)),
    *((kind, ExportPrecision.FLOAT64) for kind in (nets.Mlp, Cond, nets.TwoTowers, nets.Encoder)),
    *((kind, ExportPrecision.FLOAT16) for kind in (nets.Mlp, nets.ConvNet, nets.TwoTowers)),
]
"""Further good files, with the other opset version; onnxruntime has no Conv in float64."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A network as ONNX, with the inputs on which it is run."""

    name: str
    model: ModelProto
    inputs: dict[str, np.ndarray]

    @property
    def most_runs(self) -> int:
        return math.ceil(math.log2(len(self.model.graph.node))) + 2


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What bisection said about one fault."""

    fault: Fault
    net: Exported
    found: WrongNode | None
    runs: int

    @property
    def right(self) -> bool:
        return self.found is not None and self.found.name == self.fault.name and self.runs <= self.net.most_runs


def exported(kind: type[nn.Module], precision: ExportPrecision | None = None, opset: int = 18) -> Exported:
    source: Source = from_module(
        nets.make(kind), [parse_input(text) for text in KINDS[kind]], precision=precision, static=False
    )
    inputs = dict(
        zip(
            [entry.name for entry in source.inputs], source.random_inputs(source.sizes(batch=7), 1.0, SEED), strict=True
        )
    )
    return Exported(name=kind.__name__, model=onnx.load_model_from_string(to_onnx(source, opset=opset)), inputs=inputs)


def run(part, values, optimisation):
    runner = onnxruntime_runner("part", part.SerializeToString(), optimisation=optimisation)
    try:
        return runner.bind(tuple(values.values())).outputs()
    except Exception as error:
        raise LinregError(str(error)) from error


def optimising_wrongly(good: ModelProto, bad: ModelProto):
    """A runtime that runs `good` as if it were `bad`, but only when it optimises."""
    tensors = {tensor.name: tensor for tensor in bad.graph.initializer}

    def run_part(part, values, optimisation):
        wrong = ModelProto()
        wrong.CopyFrom(part)
        if optimisation == "all":
            for place in range(len(part.graph.node)):
                wrong.graph.node[place].CopyFrom(bad.graph.node[place])
            for tensor in wrong.graph.initializer:
                tensor.CopyFrom(tensors[tensor.name])
            names = {tensor.name for tensor in wrong.graph.initializer}
            read = {name for node in wrong.graph.node for name in node.input}
            wrong.graph.initializer.extend(tensor for name, tensor in tensors.items() if name in read - names)
        return run(wrong, values, optimisation)

    return run_part


def visible(net: Exported, fault: Fault) -> bool:
    """Whether the values of the node differ by more than rounding, by onnx's reference evaluator."""
    values = []
    for model in (net.model, planted(net.model, fault)):
        part = prefix(model, fault.index + 1, made_values(model.graph.node[fault.index]))
        try:
            with np.errstate(all="ignore"):
                values.append(ReferenceEvaluator(part).run(None, net.inputs))
        except Exception:  # the evaluator raises whatever NumPy does
            return True
    return any(
        np.shape(one) != np.shape(two)
        or not np.allclose(one, two, rtol=0, atol=VISIBLE * np.abs(one).max(initial=TINY), equal_nan=True)
        for one, two in zip(*values, strict=True)
    )


def drawn(possible: list[tuple[Exported, Fault]], wanted) -> list[tuple[Exported, Fault]]:
    """50 faults at random, with as many of each kind as there are."""
    order = random.Random(SEED).sample(possible, len(possible))
    rank: Counter[str] = Counter()
    ranked = []
    for net, fault in order:
        ranked.append((rank[fault.kind], net, fault))
        rank[fault.kind] += 1
    chosen = []
    for _, net, fault in sorted(ranked, key=lambda entry: entry[0]):
        if wanted(net, fault):
            chosen.append((net, fault))
        if len(chosen) == FAULTS:
            return chosen
    raise AssertionError(f"only {len(chosen)} faults")


def in_the_file(net: Exported, fault: Fault) -> Tried:
    bad, runs = planted(net.model, fault), Runs(run)
    found = search(bad, ExactGraph(net.model), net.inputs, runs, first_difference(bad, net.model))
    return Tried(fault=fault, net=net, found=found, runs=runs.count)


def in_the_runtime(net: Exported, fault: Fault) -> Tried:
    runs = Runs(run)
    found = search(planted(net.model, fault), ExactGraph(net.model), net.inputs, runs)
    return Tried(fault=fault, net=net, found=found, runs=runs.count)


def in_the_optimiser(net: Exported, fault: Fault) -> Tried:
    runs = Runs(optimising_wrongly(net.model, planted(net.model, fault)))
    found = search(net.model, ExactGraph(net.model), net.inputs, runs)
    return Tried(fault=fault, net=net, found=found, runs=runs.count)


def measured() -> dict[str, list[Tried] | list[WrongNode | None]]:
    all_nets = [exported(kind) for kind in KINDS]
    possible = [(net, fault) for net in all_nets for fault in possible_faults(net.model)]
    any_fault = drawn(possible, lambda net, fault: True)
    in_values = drawn(possible, visible)
    good = [*all_nets, *(exported(kind, precision, OTHER_OPSET) for kind, precision in ELSE)]
    return {
        "file": [in_the_file(*entry) for entry in any_fault],
        "runtime": [in_the_runtime(*entry) for entry in in_values],
        "optimiser": [in_the_optimiser(*entry) for entry in in_values],
        "good": [search(net.model, ExactGraph(net.model), net.inputs, Runs(run)) for net in good],
    }


def test_planted_faults_are_found_and_good_files_have_none(benchmark):
    found = benchmark.pedantic(measured, rounds=1)
    good = found.pop("good")
    print(f"\n{'fault in':10} {'found':>10} {'most runs':>10}")
    for place, tried in found.items():
        right = sum(entry.right for entry in tried)
        most = max(entry.runs for entry in tried)
        nodes = sorted({len(entry.net.model.graph.node) for entry in tried})
        kinds = Counter(entry.fault.kind for entry in tried)
        missed = [f"{entry.net.name}: {entry.fault.kind} of {entry.fault.name}" for entry in tried if not entry.right]
        print(f"{place:10} {right:5} of {len(tried)} {most:10}", *missed, sep="\n    ")
        benchmark.extra_info[place] = {
            "found": right,
            "planted": len(tried),
            "missed": missed,
            "most runs": most,
            "nodes": nodes,
            "kinds": kinds,
        }
    false = sum(wrong is not None for wrong in good)
    print(f"good files with a wrong node: {false} of {len(good)}")
    benchmark.extra_info["good files"] = {"with a wrong node": false, "files": len(good)}
    assert (false, len(good)) == (0, 20)
    assert all(info["found"] >= 48 for info in map(benchmark.extra_info.get, ("file", "runtime")))
