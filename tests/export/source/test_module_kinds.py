"""Every kind of module that people bring: refused with the reason and the next step, or exported and proved."""

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.build import build
from export.formats.names import Format
from export.proof.oracle import Oracle
from export.proof.runnable import check_sizes
from export.proof.sizes import sizes_within
from export.proof.weights import find_weights
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError, MismatchError, TerminatedError
from tests.judged_cases import judged_cases
from tests.odd_modules import GOOD, REFUSED, Holding, X, answering, mlp, raising, with_buffer


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore")  # torch deprecates half of these kinds
def test_a_kind_that_cannot_be_exported_is_refused_with_the_reason(make, message):
    with pytest.raises(ExportError, match=message) as caught:
        from_module(make(), X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
@pytest.mark.filterwarnings("ignore")
def test_a_kind_that_can_be_exported_answers_as_a_fresh_module(make):
    source = from_module(make(), X)
    runner = load_artifact(Format.TORCHSCRIPT_TRACE, "model", build(source, Format.TORCHSCRIPT_TRACE), Trust.MADE_HERE)
    assert len(find_weights(runner, source).identical) == len(make().state_dict())
    rows = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    with torch.no_grad():
        wanted = make().eval()(torch.from_numpy(rows.copy()))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for got, expected in zip(runner.bind((rows,)).outputs(), wanted, strict=True):
        assert np.allclose(got, expected.resolve_neg().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_the_bits_of_numbers_that_numpy_has_not_are_compared(dtype):
    source = from_module(with_buffer(torch.arange(4.0).to(dtype), lambda m, x: x * m.more.float()), X)
    runner = load_artifact(Format.TORCHSCRIPT_TRACE, "model", build(source, Format.TORCHSCRIPT_TRACE), Trust.MADE_HERE)
    assert len(find_weights(runner, source).identical) == 3
    with torch.no_grad():
        source.module.more.copy_(torch.tensor([0.0, 1, 2, 4]).to(dtype))
    with pytest.raises(MismatchError, match="parameter 'more' differs from the state_dict"):
        find_weights(runner, source)


# ---- batches ---------------------------------------------------------------------------------------------------------


class Rows512(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(512, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.places[: x.shape[0]]


def needs_two() -> nn.Module:
    return nn.BatchNorm1d(4, track_running_stats=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (needs_two, "does not run at batch 1: ValueError: Expected more than 1 value per channel .*; use --static"),
        (Rows512, "does not run at batch 4096: RuntimeError: The size of tensor a .*; use --static with a fixed shape"),
        (
            lambda: answering(lambda m, x: m.layer(x) if len(x) in (2, 3, 7) else exit(0)),
            r"does not run at batch 1 \(nor at 64, 4096\): SystemExit: 0; use --static",
        ),
    ],
    ids=["needs-two-rows", "at-most-512-rows", "exits-at-some"],
)
def test_a_module_of_some_batches_only_is_refused_before_anything_is_built(make, message):
    source = from_module(make(), X)
    with pytest.raises(ExportError, match=message):
        check_sizes(source, [entry.sizes for entry in sizes_within(source)])
    with pytest.raises(ExportError, match=message):
        next(judged_cases(source))
    check_sizes(source, [{"batch": 2}, {"batch": 3}])


def test_a_module_of_some_batches_only_has_a_fixed_shape():
    source = from_module(Rows512(), [parse_input("x=float32[512,4]")], static=True)
    assert [case.inputs[0].shape for case in judged_cases(source)] == [(512, 4)] * 4


def test_a_module_that_ends_at_large_numbers_does_not_end_the_command():
    """Its sys.exit(0) would say that all went well."""
    source = from_module(answering(lambda m, x: exit(0) if x.abs().max() > 100 else m.layer(x)), X)
    with pytest.raises(ExportError, match="the module fails on its test inputs: SystemExit: 0"):
        Oracle(source).answers(source.random_inputs({"batch": 2}, 1e4, 0))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), TerminatedError(143)], ids=["ctrl-c", "sigterm"])
def test_an_interruption_goes_through_the_code_of_a_user(interruption):
    with pytest.raises(type(interruption)):
        from_module(raising(interruption), X)


# ---- what is left as it was ------------------------------------------------------------------------------------------


def test_a_cache_that_changes_no_answer_is_no_reason_to_refuse():
    def caching(module, x):
        if not hasattr(module, "cached"):
            module.cached = torch.arange(4.0)
        return module.layer(x * module.cached)

    assert from_module(answering(caching), X).output_names == ("output",)


def test_a_module_is_not_refused_for_what_it_counts_beside_its_answers():
    def counting(module, x):
        module.calls = getattr(module, "calls", 0) + 1
        return module.layer(x)

    assert from_module(answering(counting), X).output_names == ("output",)


def test_a_buffer_moved_by_a_call_is_refused():
    with pytest.raises(ExportError, match="a call of the module changes its own buffers or parameters"):
        from_module(with_buffer(torch.zeros(1), lambda m, x: (m.more.add_(1), m.layer(x))[1]), X)


# ---- wrappers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda module: torch.compile(module, backend="eager"),
        nn.DataParallel,
        torch.optim.swa_utils.AveragedModel,
        lambda module: torch.compile(nn.DataParallel(module), backend="eager"),
        lambda module: nn.DataParallel(torch.compile(module, backend="eager")),
    ],
    ids=["compiled", "parallel", "averaged", "compiled-parallel", "parallel-compiled"],
)
def test_what_stands_around_a_module_is_taken_off(wrap):
    plain, wrapped = from_module(mlp(), X), from_module(wrap(mlp()), X)
    assert type(wrapped.module) is nn.Sequential
    assert list(wrapped.module.state_dict()) == list(plain.module.state_dict())
    assert wrapped.state_sha256 == plain.state_sha256


def test_a_class_that_is_only_called_as_one_of_torch_keeps_what_it_does():
    kind = type("DataParallel", (Holding,), {})
    assert type(from_module(kind(), X).module) is kind


def test_distributed_data_parallel_is_taken_off(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        source = from_module(nn.parallel.DistributedDataParallel(mlp()), X)
    finally:
        torch.distributed.destroy_process_group()
    assert source.state_sha256 == from_module(mlp(), X).state_sha256
