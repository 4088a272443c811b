"""Jobs of a few rows, rows that are planted in them, and what is checked of each."""

from dataclasses import replace

import numpy as np
import torch

from bench.plan.variants import FLOOR, Kind, Variant, eager_variants
from export.runners.base import Runner
from export.runners.torch import torch_runner
from linreg.checkpoint import load

ROUNDS = 10
FEW = [*eager_variants()[:2], Variant(name="planted", kind=Kind.EAGER), Variant(name=FLOOR, kind=Kind.FLOOR)]
"""The reference, another row, one that tests replace, and the floor."""


def faulty(bundle, change, *, after=None, hide=True):
    """Make a runner whose weight is changed, at once or when it has answered `after` times.

    With `hide` it shows the right parameters, so that only its outputs can give it away.
    """

    def make() -> Runner:
        module = load(bundle).model
        answered = 0

        def spoil(*_arguments) -> None:
            nonlocal answered
            if answered == (after or 0):
                with torch.no_grad():
                    change(module.linear_layer.weight)
            answered += 1

        if after is None:
            spoil()
        else:
            module.register_forward_pre_hook(spoil)
        runner = torch_runner("wrong", module)
        shown = torch_runner("shown", load(bundle).model) if hide else runner
        return replace(runner, parameters=shown.parameters)

    return make


def wrapping(bundle, wrap):
    """Make a runner whose call is what `wrap` makes of a right one and its inputs."""

    def make() -> Runner:
        runner = torch_runner("wrapped", load(bundle).model)
        return replace(runner, bind=lambda inputs: wrap(runner.bind(inputs), inputs))

    return make


def up(array):
    return np.nextafter(array, np.float32(np.inf))


def scaled(weight) -> None:
    weight[0, 1] *= 1.001


def to_nan(weight) -> None:
    weight[0, 0] = torch.nan


def one_bit(weight) -> None:
    weight.view(torch.int32)[0, 0] ^= 1


def check_measured(measured):
    assert measured.problem == ""
    assert measured.blocks.block_s.shape == (ROUNDS,)
    assert measured.blocks.calls >= 1
    assert (measured.blocks.block_s > 0).all()
    assert 0 <= measured.worst_error <= 1


def check_struck_out(measured):
    assert measured.problem
    assert (measured.blocks, measured.single_s, measured.bytes_equal) == (None, (), False)
    assert measured.worst_error == np.inf
