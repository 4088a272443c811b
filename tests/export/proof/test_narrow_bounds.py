"""The bounds of a large batch, of which only a few rows are perturbed, against those of all rows perturbed."""

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.oracle import NARROW_RUNS, PERTURBED_RUNS, Oracle
from export.proof.verify import verify
from export.runners.base import Call, Runner
from export.runners.torch import torch_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError
from tests import nets

ROWS = 1000


class Counted(Oracle):
    """An oracle that counts the rows that are perturbed, in all runs together."""

    perturbed_rows = 0

    def _moved(self, inputs, exact, ties=None, runs=PERTURBED_RUNS):
        self.perturbed_rows += runs * len(inputs[0])
        return super()._moved(inputs, exact, ties, runs)


class CentredBatch(nn.Module):
    """Each row depends on all others."""

    def forward(self, x):
        return torch.tanh(x - x.mean(0, keepdim=True))


class SomeRowsWild(nn.Module):
    """In one row of forty rounding moves an element by a hundredth."""

    def forward(self, x):
        return torch.sin(x * (1 + 1e5 * (x > 2.5)))


def source_of(module, text):
    return from_module(module, [parse_input(text)])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", [nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder, nets.SharedWeights])
def test_narrow_bounds_are_nowhere_wider_and_cost_a_few_rows(kind, scale):
    source = source_of(nets.make(kind), nets.INPUTS[kind][0])
    oracle = Counted(source)
    inputs = source.random_inputs({"batch": ROWS}, scale, 1)
    narrow = oracle.narrow_answers(inputs, scale)
    assert oracle.perturbed_rows <= NARROW_RUNS * len(source.output_names), "one row for each output"
    for few, all_rows in zip(narrow, oracle.answers(inputs, scale), strict=True):
        assert np.array_equal(few.values, all_rows.values)
        assert 0.5 < few.allowed.min() / all_rows.allowed.min() < 1 + 1e-9, "the module's own error"
        assert (few.allowed <= all_rows.allowed * 1.5).mean() > 0.99, "other draws of the same rows, at most"


def test_all_rows_are_perturbed_where_rows_depend_on_each_other():
    source = source_of(CentredBatch(), "x=float32[batch,4]")
    oracle = Counted(source)
    inputs = source.random_inputs({"batch": 4096}, 1.0, 3)
    narrow = oracle.narrow_answers(inputs, 1.0)
    assert oracle.perturbed_rows == NARROW_RUNS * 4096
    assert (narrow[0].allowed <= oracle.answers(inputs, 1.0)[0].allowed).all()


def test_all_rows_are_perturbed_in_all_runs_where_rounding_moves_some_too_far():
    source = source_of(SomeRowsWild(), "x=float32[batch,4]")
    oracle = Counted(source)
    inputs = source.random_inputs({"batch": 4096}, 1.0, 3)
    narrow = oracle.narrow_answers(inputs, 1.0)
    assert oracle.perturbed_rows >= PERTURBED_RUNS * 4096
    assert np.array_equal(narrow[0].allowed, oracle.answers(inputs, 1.0)[0].allowed)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", [nets.Mlp, nets.ConvNet, nets.Lstm, nets.Encoder])
def test_narrow_bounds_of_a_small_batch_are_nowhere_wider(kind, scale):
    source = source_of(nets.make(kind), nets.INPUTS[kind][0])
    oracle = Counted(source)
    inputs = source.random_inputs({"batch": 7}, scale, 1)
    narrow = oracle.narrow_answers(inputs, scale)
    assert oracle.perturbed_rows <= NARROW_RUNS * len(source.output_names)
    for few, all_rows in zip(narrow, oracle.answers(inputs, scale), strict=True):
        assert (few.allowed <= all_rows.allowed * 1.5).mean() > 0.9, "other draws of the same rows, at most"


class SecondRowFirst(nn.Module):
    """A row depends on its neighbour."""

    def forward(self, x):
        return torch.tanh(x.roll(1, 0))


class Reversed(nn.Module):
    """A row depends on the one at the same distance from the other end."""

    def forward(self, x):
        return torch.tanh(x.flip(0))


@pytest.mark.parametrize("module", [SecondRowFirst(), Reversed(), CentredBatch()])
def test_rows_that_depend_on_others_are_found(module):
    assert not Oracle(source_of(module, "x=float32[batch,4]")).rows_are_independent()


def test_rows_that_do_not_depend_on_others_are_found():
    assert Oracle(source_of(nets.make(nets.Mlp), "x=float32[batch,16]")).rows_are_independent()


def test_an_error_between_both_bounds_is_judged_by_the_wide_one(monkeypatch):
    """One element is off by more than its narrow bound; only perturbation shows that rounding may do this."""
    source = source_of(nets.make(nets.Mlp), "x=float32[batch,16]")
    good = torch_runner("good", source.module)

    def off_by(factor):
        def bind(inputs):
            call = good.bind(inputs)

            def outputs():
                (values, *rest) = call.outputs()
                if len(values) < 4096:
                    return (values, *rest)
                narrow = Oracle(source).narrow_answers(inputs, 1.0)[0]
                moved = values.astype(np.float64)
                moved[5] = narrow.values[5] + factor * narrow.allowed[5]
                return (moved.astype(values.dtype), *rest)

            return Call(run=call.run, outputs=outputs, context=call.context)

        return Runner(name="off", bind=bind, parameters=good.parameters)

    monkeypatch.setattr("export.proof.cases.SCALES", (1.0,))
    with pytest.raises(MismatchError, match=r"batch 4096, scale 1: .* row 5"):
        verify(off_by(1.5), source)
    wide = Oracle.answers

    def wider(self, inputs, scale=None):
        expected = wide(self, inputs, scale)
        for output in expected:
            if len(output.allowed) == 4096:
                output.allowed[5] *= 2
        return expected

    monkeypatch.setattr(Oracle, "answers", wider)
    assert verify(off_by(1.5), source).worst_error <= 1
