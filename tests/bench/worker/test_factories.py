"""Rows from a user's function: what it may return, and what is refused."""

import pytest

from bench.plan.subject import Subject
from bench.plan.variants import Device, Kind, Variant
from bench.worker.building import build
from linreg.errors import LinregError
from tests.bench.worker.test_building import rows

FACTORIES = """
from contextlib import nullcontext

import numpy as np

from export.runners.base import Call, Runner

calls = []


def bind(inputs):
    return Call(run=lambda: calls.append(1), outputs=lambda: (inputs[0] * 2,), context=nullcontext)


def a_runner():
    return Runner(name="mine", bind=bind, parameters=lambda: {"weight": np.ones(1)})


def a_call():
    return lambda: calls.append(1) or len(calls)


def something_else():
    return 7


def failing():
    raise ValueError("no\\nluck")


constant = 3
"""


@pytest.fixture
def made(tmp_path):
    """Build the row that is made by `NAME` of a file."""
    path = tmp_path / f"factories_{tmp_path.name}.py"
    path.write_text(FACTORIES)

    def make(name: str):
        variant = Variant(name="row", kind=Kind.FACTORY, file=f"{path}:{name}")
        return build(variant, Subject(), tmp_path, device=Device.CPU, threads=1)

    return make


def test_a_factory_may_make_a_runner(made):
    runner = made("a_runner")
    x = rows(2, 3)
    assert runner.name == "mine"
    assert runner.bind((x,)).outputs()[0].tobytes() == (x * 2).tobytes()
    assert runner.parameters()["weight"].shape == (1,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("something_else", "returns int, expected a Runner"),
        ("constant", "is int, expected a function that returns a Runner"),
        ("missing", "has no 'missing'"),
        ("failing", "cannot be called without arguments: ValueError: no luck"),
    ],
)
def test_a_factory_that_makes_nothing_to_be_timed_is_one_line(made, name, message):
    with pytest.raises(LinregError, match=message) as caught:
        made(name)
    assert "\n" not in str(caught.value)
