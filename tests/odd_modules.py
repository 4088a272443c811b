"""Modules of every kind that people bring: those that are refused, with what the message says, and those that work."""

import collections
import threading

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from export.source.user_module import parse_input

X = [parse_input("x=float32[batch,4]")]
"""What each of them takes."""


def mlp() -> nn.Module:
    torch.manual_seed(20261124)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


class Holding(nn.Module):
    """A layer, and whatever its maker puts beside it; `forward` is a function of the module and the input."""

    def __init__(self, forward=None, **members) -> None:
        super().__init__()
        torch.manual_seed(20261124)
        self.layer = nn.Linear(4, 2)
        self.answer = forward or (lambda module, x: module.layer(x))
        for name, value in members.items():
            setattr(self, name, value)

    def forward(self, x: Tensor):
        return self.answer(self, x)


def answering(function) -> nn.Module:
    return Holding(function)


def with_buffer(tensor: Tensor, forward=None, *, persistent: bool = True) -> nn.Module:
    module = Holding(forward)
    module.register_buffer("more", tensor, persistent=persistent)
    return module


def changed(module: nn.Module, function) -> nn.Module:
    function(module)
    return module


class Extra(Holding):
    def __init__(self, state) -> None:
        super().__init__()
        self.state = state

    def get_extra_state(self):
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    def set_extra_state(self, state) -> None:
        pass


class NeverInitialised(nn.Module):
    def __init__(self) -> None:
        pass


class ByKeyword(nn.Module):
    def forward(self, x, *, mask):
        return x * mask


class NoTraining(Holding):
    def train(self, mode=True):
        raise RuntimeError("never")


class Pair(torch.Tensor):
    pass


class OwnInterruption(BaseException):
    pass


def raising(error: BaseException):
    def answer(module, x):
        raise error

    return answering(answer)


def counting(module, x):
    module.calls = getattr(module, "calls", 0) + 1
    return module.layer(x) * module.calls


def remembering(module, x):
    if not hasattr(module, "first"):
        module.first = x.sum()
    return module.layer(x) + module.first


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return mlp()


def sharded() -> nn.Module:
    """As torch's own wrapper looks from outside; making one takes several processes."""
    kind = type("FullyShardedDataParallel", (Holding,), {"__module__": "torch.distributed.fsdp.wrap"})
    return nn.Sequential(kind())


def quantized() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(mlp(), {nn.Linear}, dtype=torch.qint8)


def quantized_tensor() -> Tensor:
    return torch.quantize_per_tensor(torch.ones(2, 4), 0.1, 0, torch.qint8)


def scripted_part() -> nn.Module:
    return nn.Sequential(torch.jit.script(nn.Linear(4, 4)), nn.ReLU())


def rows_and_axes(module, x):
    return module.layer(x).reshape([1] * len(x) + [-1])


REFUSED = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), r"'0.weight' is lazy and has no shape yet; give .*nn.Linear\(16"),
    "lazy-buffers": (lambda: nn.Sequential(nn.LazyBatchNorm1d()), "is lazy and has no shape yet"),
    "sparse-parameter": (
        lambda: Holding(more=nn.Parameter(torch.eye(4).to_sparse())),
        r"'more' is not dense \(sparse_c",
    ),
    "sparse-buffer": (lambda: with_buffer(torch.eye(4).to_sparse_csr()), r"'more' is not dense .*tensor.to_dense\(\)"),
    "meta": (on_meta, "'0.weight' is on the meta device, which holds no values; create the module on the CPU"),
    "quantized-layers": (quantized, r"its part '0' is quantized \(Linear\), .*; give the module of floating numbers"),
    "quantized-buffer": (lambda: with_buffer(quantized_tensor()), r"'more' is a quantized tensor; .*dequantize\(\)"),
    "sharded": (sharded, "its part '0' is FullyShardedDataParallel, whose parameters are spread .*; gather a full"),
    "subclass": (lambda: with_buffer(torch.ones(4).as_subclass(Pair)), "'more' is a Pair, expected a plain tensor"),
    "extra-state": (lambda: Extra({"a": 1}), "holds '_extra_state', a dict; only tensors can be kept: make it an attr"),
    "no-extra-state": (lambda: Extra(None), "state_dict holds '_extra_state', a NoneType"),
    "part-extra-state": (lambda: nn.Sequential(Extra(3)), "state_dict holds '0._extra_state', a int"),
    "tensor-extra-state": (lambda: Extra(torch.ones(2)), "a tensor of get_extra_state, .*make it a buffer"),
    "extra-state-raises": (lambda: Extra(ValueError("boo")), "state_dict cannot be read: ValueError: boo"),
    "state-dict-hook": (
        lambda: changed(mlp(), lambda m: m.register_state_dict_post_hook(lambda _m, state, *_: state.update(more=3))),
        "state_dict holds 'more', a int",
    ),
    "scripted": (lambda: torch.jit.script(mlp()), "is TorchScript already; give the nn.Module that it was made from"),
    "traced": (lambda: torch.jit.trace(mlp(), torch.ones(2, 4)), "is TorchScript already; give the nn.Module"),
    "scripted-function": (lambda: torch.jit.script(functional.silu), "is TorchScript already; give the nn.Module"),
    "scripted-part": (scripted_part, "its part '0' is TorchScript already"),
    "exported-program": (
        lambda: torch.export.export(mlp(), (torch.ones(2, 4),)),
        "is an ExportedProgram already; give the nn.Module",
    ),
    "function": (lambda: functional.relu, "got function, expected a torch.nn.Module"),
    "class": (lambda: nn.Linear, "got type, expected a torch.nn.Module"),
    "no-init": (NeverInitialised, r"NeverInitialised.__init__ never calls super\(\).__init__\(\); call it first"),
    "no-forward": (lambda: nn.ModuleDict({"a": nn.Linear(4, 2)}), "ModuleDict has no forward, so it has no outputs"),
    "by-keyword": (ByKeyword, "forward takes x, mask; got 1 inputs: mask is missing; give one --input for each"),
    "old-weight-norm": (
        lambda: changed(mlp(), lambda m: weight_norm(m[0])),
        "cannot be copied: its part '0' has a WeightNorm hook; call torch.nn.utils.remove_weight_norm",
    ),
    "old-spectral-norm": (
        lambda: changed(mlp(), lambda m: spectral_norm(m[0]).train()(torch.ones(2, 4))),
        "its part '0' has a SpectralNorm hook; call torch.nn.utils.remove_spectral_norm",
    ),
    "pruned": (
        lambda: changed(mlp(), lambda m: prune.l1_unstructured(m[2], "weight", amount=0.5)),
        "its part '2' has a L1Unstructured hook; make the pruning permanent: torch.nn.utils.prune.remove",
    ),
    "computed-attribute": (
        lambda: Holding(more=nn.Parameter(torch.ones(4)) * 2),
        r"the module keeps 'more', the result of a computation; keep it detached: more.detach\(\)",
    ),
    "computed-buffer": (lambda: with_buffer(nn.Parameter(torch.ones(4)) * 2), "keeps 'more', the result of a comput"),
    "lock": (lambda: nn.Sequential(Holding(more=threading.Lock())), "its part '0' keeps 'more', a lock that cannot be"),
    "no-training": (NoTraining, "cannot be moved to the CPU and put into eval mode: RuntimeError: never"),
    "returns-none": (lambda: answering(lambda m, x: None), "returns NoneType, expected tensors"),
    "returns-nothing": (lambda: answering(lambda m, x: ()), "the module returns nothing; return a tensor"),
    "returns-sparse": (lambda: answering(lambda m, x: m.layer(x).to_sparse()), r"sparse or nested .*y.to_dense\(\)"),
    "returns-nested": (
        lambda: answering(lambda m, x: torch.nested.nested_tensor(list(x))),
        "returns a sparse or nested tensor",
    ),
    "returns-bfloat16": (lambda: answering(lambda m, x: m.layer(x).bfloat16()), r"torch.bfloat16, .*return y.float"),
    "returns-a-tensor-a-row": (
        lambda: answering(lambda m, x: list(m.layer(x))),
        "returns 2 outputs of 1, 1 axes for a batch of 2, and 3 outputs of 1, 1, 1 axes for a batch of 3; .*stack the",
    ),
    "an-axis-a-row": (
        lambda: answering(rows_and_axes),
        "returns 1 output of 3 axes for a batch of 2, and 1 output of 4",
    ),
    "exits": (lambda: raising(SystemExit(0)), "does not run at batch 2: SystemExit: 0"),
    "own-interruption": (lambda: raising(OwnInterruption("mine")), "at batch 2: OwnInterruption: mine"),
    "recursion": (lambda: answering(lambda m, x: m(x)), "does not run at batch 2: RecursionError"),
    "counts": (lambda: answering(counting), "two calls of the module with equal inputs differ"),
    "remembers": (lambda: answering(remembering), "outputs of the module depend on earlier calls; keep no state"),
    "even-rows-only": (
        lambda: answering(lambda m, x: m.layer(x.reshape(len(x) // 2, 2, 4)).flatten(0, 1)),
        "does not run at batch 3: RuntimeError: .*use --static",
    ),
}

Named = collections.namedtuple("Named", "one two")


class Views(nn.Module):
    """Parameters that are rows of one tensor, or transposed, and a buffer whose numbers share one place."""

    def __init__(self) -> None:
        super().__init__()
        whole = torch.arange(16.0).reshape(4, 4)
        self.one, self.two = nn.Parameter(whole[:2]), nn.Parameter(whole[1:3])
        self.turned = nn.Parameter(torch.arange(8.0).reshape(4, 2).T)
        self.register_buffer("spread", torch.ones(1).expand(3))

    def forward(self, x):
        return functional.linear(x, self.one) + functional.linear(x, self.two) - x @ self.turned.T + self.spread.sum()


class Defaults(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(20261124)
        self.layer = nn.Linear(4, 2)

    def forward(self, x, double: bool = True, **_others):
        return self.layer(x) * 2 if double else x


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.some = nn.ParameterList([nn.Parameter(torch.arange(4.0))])
        self.named = nn.ParameterDict({"b": nn.Parameter(torch.ones(4))})

    def forward(self, x):
        return x * self.some[0] + self.named["b"]


def materialised() -> nn.Module:
    torch.manual_seed(20261124)
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    lazy(torch.ones(2, 4))
    return lazy


def printing(module, x):
    print("hello from forward")
    return module.layer(x)


def doubling(module, _inputs, output):
    return output * 2


GOOD = {
    "materialised": materialised,
    "fx-graph": lambda: torch.fx.symbolic_trace(mlp()),
    "parametrized": lambda: changed(mlp(), lambda m: parametrizations.weight_norm(m[0])),
    "hooks": lambda: changed(
        mlp(), lambda m: (m.register_forward_hook(doubling), m[0].register_forward_hook(doubling))
    ),
    "views": Views,
    "defaults": Defaults,
    "parameter-lists": Listed,
    "complex-parameter": lambda: Holding(
        lambda m, x: (x * m.more).real, more=nn.Parameter(torch.tensor([1 + 2j, 3, -1j, 0.5]))
    ),
    "boolean-buffer": lambda: with_buffer(
        torch.tensor([True, False, True, True]), lambda m, x: m.layer(x.masked_fill(m.more, 0.0))
    ),
    "index-buffer": lambda: with_buffer(torch.tensor([3, 2, 1, 0]), lambda m, x: m.layer(x[:, m.more])),
    "uint8-parameter": lambda: Holding(
        lambda m, x: m.layer(x * m.more),
        more=nn.Parameter(torch.tensor([1, 0, 1, 1], dtype=torch.uint8), requires_grad=False),
    ),
    "bfloat16-buffer": lambda: with_buffer(
        torch.tensor([1.0, 2, 3, 4]).bfloat16(), lambda m, x: m.layer(x * m.more.float())
    ),
    "zero-size": lambda: with_buffer(torch.empty(0, 4), lambda m, x: m.layer(x) + m.more.sum()),
    "not-persistent": lambda: with_buffer(torch.arange(4.0), lambda m, x: m.layer(x * m.more), persistent=False),
    "plain-tensor": lambda: Holding(lambda m, x: functional.linear(x, m.more), more=torch.arange(8.0).reshape(2, 4)),
    "named-tuple": lambda: answering(lambda m, x: Named(m.layer(x), x * 2)),
    "subclass-output": lambda: answering(lambda m, x: m.layer(x).as_subclass(Pair)),
    "negative-view": lambda: answering(lambda m, x: torch.view_as_complex(x.reshape(-1, 2, 2)).conj().imag),
    "prints": lambda: answering(printing),
}
