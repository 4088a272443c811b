"""Time blocks on CUDA between two events, and make the runners that replay a captured graph or copy data.

A launch returns before its work is done, so a host clock around the calls would measure only the launches. So a block
is timed between two events in the stream, with one synchronisation at the end. The wall time of the block on the host
is kept too, since it shows when the launches take longer than the computation.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.runners.base import Call, Runner
from export.source.arguments import Arguments
from export.source.outputs import flatten

LAUNCH_BOUND = 0.8
"""Rows whose launches take more than this fraction of their time are marked, as in trtexec."""


def time_block_on_device(run: Callable[[], object], calls: int) -> tuple[int, int]:
    """Time `calls` calls; return nanoseconds on the device, between two events, and on the host, until all are done."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    iterations = repeat(None, calls)
    torch.cuda.synchronize()
    before = time.perf_counter_ns()
    start.record()
    for _ in iterations:
        run()
    end.record()
    end.synchronize()
    host = time.perf_counter_ns() - before
    return round(start.elapsed_time(end) * 1e6), host


def time_launches(run: Callable[[], object], calls: int) -> int:
    """Return the nanoseconds the host spends launching `calls` calls, without waiting for them to complete."""
    torch.cuda.synchronize()
    before = time.perf_counter_ns()
    for _ in repeat(None, calls):
        run()
    launched = time.perf_counter_ns() - before
    torch.cuda.synchronize()
    return launched


def graph_runner(name: str, module: torch.nn.Module, arguments: Arguments | None = None) -> Runner:
    """Make a runner that replays a CUDA graph of one call, which almost removes the cost of launching."""

    def bind(inputs: tuple[NDArray[Any], ...]) -> Call:
        call = _call(module, arguments, inputs)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.inference_mode(), torch.cuda.stream(side):
            for _ in range(3):  # lazy initialisation must not be captured
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.graph(graph):
            results = call()

        def outputs() -> tuple[NDArray[Any], ...]:
            graph.replay()
            torch.cuda.synchronize()
            return tuple(tensor.cpu().numpy() for tensor in flatten(results))

        return Call(run=graph.replay, outputs=outputs, context=nullcontext)

    return Runner(name=name, bind=bind, parameters=lambda: _parameters(module))


def copy_to_device_runner(name: str, module: torch.nn.Module, _arguments: Arguments | None = None) -> Runner:
    """Make a runner that copies the inputs from pageable host memory to the device, as `x.cuda()` does."""

    def bind(inputs: tuple[NDArray[Any], ...]) -> Call:
        hosts = [torch.from_numpy(array.copy()) for array in inputs]

        def run() -> None:
            for tensor in hosts:
                tensor.to("cuda")

        return Call(run=run, outputs=lambda: (), context=torch.inference_mode)

    return Runner(name=name, bind=bind, parameters=lambda: _parameters(module))


def copy_from_device_runner(name: str, module: torch.nn.Module, arguments: Arguments | None = None) -> Runner:
    """Make a runner that copies the outputs to the host, as `y.cpu()` does."""

    def bind(inputs: tuple[NDArray[Any], ...]) -> Call:
        with torch.inference_mode():
            results = flatten(_call(module, arguments, inputs)())

        def run() -> None:
            for tensor in results:
                tensor.cpu()

        return Call(run=run, outputs=lambda: (), context=torch.inference_mode)

    return Runner(name=name, bind=bind, parameters=lambda: _parameters(module))


def _call(module: torch.nn.Module, arguments: Arguments | None, inputs: tuple[NDArray[Any], ...]) -> Callable[[], Any]:
    """Return a call of the module with inputs that are on the device."""
    tensors = tuple(torch.from_numpy(np.array(array)).to("cuda") for array in inputs)
    args, kwargs = (arguments or Arguments.by_position(len(tensors))).bind(tensors)
    return partial(module, *args, **kwargs)


def _parameters(module: torch.nn.Module) -> Mapping[str, NDArray[Any]]:
    return {key: value.detach().cpu().numpy() for key, value in module.state_dict().items()}
