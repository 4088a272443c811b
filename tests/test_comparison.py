"""Equality before speed: a row that answers wrongly has no latency, and no other row pays for it."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import bench.comparison
from bench.comparison import compare_variants
from bench.statistics import paired_ratio, verdict
from bench.variants import NULL, REFERENCE, Variant, cpu_variants, fresh_source
from export.runners import Call, Runner, torch_runner
from linreg.checkpoint import load
from linreg.errors import MismatchError

ROUNDS = 10


@pytest.fixture(scope="module")
def checkpoint(penguins):
    return load(penguins)


@pytest.fixture(scope="module")
def source(checkpoint):
    return fresh_source(checkpoint)


@pytest.fixture(scope="module")
def good(checkpoint, source):
    """A comparison in which nothing is wrong."""
    return compare_variants(cpu_variants(checkpoint), source, batch=7, rounds=ROUNDS)


def faulty(checkpoint, change, *, name="planted", after=None, hide=True) -> Variant:
    """A row whose weight is changed, at once or when it has answered `after` times.

    With `hide` it shows the right parameters, so that only its outputs can give it away.
    """

    def build() -> Runner:
        module = load(checkpoint.path).model
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
        runner = torch_runner(name, module)
        shown = torch_runner(name, load(checkpoint.path).model) if hide else runner
        return Runner(name=name, bind=runner.bind, parameters=shown.parameters)

    return Variant(name=name, build=build)


def wrapping(checkpoint, name, wrap) -> Variant:
    """A row whose call is what `wrap` makes of a right one and its inputs."""

    def build() -> Runner:
        runner = torch_runner(name, load(checkpoint.path).model)
        return Runner(name=name, bind=lambda inputs: wrap(runner.bind(inputs), inputs), parameters=runner.parameters)

    return Variant(name=name, build=build)


def up(array):
    return np.nextafter(array, np.float32(np.inf))


def scaled(weight) -> None:
    weight[0, 1] *= 1.001


def to_nan(weight) -> None:
    weight[0, 0] = torch.nan


def one_bit(weight) -> None:
    weight.view(torch.int32)[0, 0] ^= 1


def replaced(variants, name, variant):
    return [Variant(name=name, build=variant.build) if entry.name == name else entry for entry in variants]


def check_measured(row):
    assert row.problem == ""
    assert row.blocks.block_s.shape == (ROUNDS,)
    assert row.blocks.calls >= 1
    assert row.median_s > 0
    assert 0 <= row.worst_error <= 1


def check_struck_out(row):
    assert (row.blocks, row.median_s, row.ratio, row.verdict, row.worst_error, row.bytes_equal) == (None,) * 5 + (
        False,
    )


def test_every_row_is_measured_and_proved(good, checkpoint):
    assert good.batch == 7
    assert [row.name for row in good.rows] == [variant.name for variant in cpu_variants(checkpoint)]
    for row in good.rows:
        check_measured(row)
        if row.name.startswith(("eager", "null")):
            assert row.bytes_equal


def test_figures_follow_from_the_blocks(good):
    reference, null, *others = good.rows
    assert (reference.name, null.name, reference.ratio) == (REFERENCE, NULL, None)
    for row in good.rows:
        assert row.median_s == pytest.approx(np.median(row.blocks.block_s) / row.blocks.calls, rel=1e-12)
    for row in (null, *others):
        assert row.ratio == paired_ratio(row.blocks.call_s, reference.blocks.call_s)
    assert [row.verdict for row in others] == [verdict(row.ratio, null.ratio) for row in others]
    assert (reference.verdict, null.verdict) == (None, None)


@pytest.mark.parametrize(
    ("change", "hide", "message"),
    [
        (scaled, True, r"^planted: batch 7: 'output' at row \d, element \(0,\) is .*, expected .* within"),
        (to_nan, True, r"^planted: batch 7: 'output' at row \d, element \(0,\) is nan, expected"),
        (scaled, False, r"^planted: parameter 'linear_layer.weight' has other bits"),
        (one_bit, False, r"^planted: parameter 'linear_layer.weight' has other bits"),
    ],
    ids=["output", "nan", "parameter", "one-bit"],
)
def test_a_wrong_row_has_a_problem_and_no_latency_and_the_others_have_theirs(
    checkpoint, source, change, hide, message, monkeypatch
):
    timed = []
    real = bench.comparison.measure_rounds
    monkeypatch.setattr(
        bench.comparison, "measure_rounds", lambda calls, **more: timed.extend(calls) or real(calls, **more)
    )
    variants = cpu_variants(checkpoint)
    variants.insert(2, faulty(checkpoint, change, hide=hide))
    result = compare_variants(variants, source, batch=7, rounds=ROUNDS)
    assert [row.name for row in result.rows] == [variant.name for variant in variants]
    for row in result.rows:
        if row.name == "planted":
            check_struck_out(row)
            assert re.search(message, row.problem)
        else:
            check_measured(row)
    assert timed == [variant.name for variant in variants if variant.name != "planted"]


@pytest.mark.parametrize("name", [REFERENCE, NULL])
@pytest.mark.parametrize("hide", [True, False], ids=["output", "parameter"])
def test_nothing_is_compared_with_a_wrong_reference(checkpoint, source, name, hide):
    variants, timed = replaced(cpu_variants(checkpoint), name, faulty(checkpoint, scaled, name="wrong", hide=hide)), []
    with pytest.raises(MismatchError, match=r"^wrong: .*; nothing can be compared with it$"):
        compare_variants(variants, source, batch=7, rounds=ROUNDS, progress=timed.append)
    assert timed == []


# One call is made before timing; 8 are the warm-in of calibration, and there are 10 rounds of at least 9 calls.
@pytest.mark.parametrize("after", [1, 20, 60])
@pytest.mark.parametrize(
    ("change", "hide"), [(scaled, True), (scaled, False), (one_bit, False)], ids=["output", "parameter", "one-bit"]
)
def test_a_row_that_turns_wrong_while_it_is_timed_is_caught(checkpoint, source, after, change, hide):
    turning = faulty(checkpoint, change, name="turning", after=after, hide=hide)
    *others, last = compare_variants([*cpu_variants(checkpoint), turning], source, batch=7, rounds=ROUNDS).rows
    check_struck_out(last)
    assert last.problem.startswith("turning: ")
    for row in others:
        check_measured(row)


@pytest.mark.parametrize("name", [REFERENCE, NULL])
def test_a_reference_that_turns_wrong_while_it_is_timed_is_caught(checkpoint, source, name):
    variants = replaced(cpu_variants(checkpoint), name, faulty(checkpoint, scaled, name="turning", after=20))
    with pytest.raises(MismatchError, match=r"^turning: .*; nothing can be compared with it$"):
        compare_variants(variants, source, batch=7, rounds=ROUNDS)


def test_a_row_that_writes_into_the_inputs_harms_no_other(checkpoint, source):
    # Each row has bound a copy of the inputs.
    def wrap(call, inputs) -> Call:
        def run() -> None:
            inputs[0][0] += 1
            call.run()

        return replace(call, run=run)

    variants = [*cpu_variants(checkpoint), wrapping(checkpoint, "writing", wrap)]
    for row in compare_variants(variants, source, batch=7, rounds=ROUNDS).rows:
        check_measured(row)


def test_a_row_within_the_bound_but_of_other_bytes_says_so(checkpoint, source):
    """One unit in the last place is allowed: the row has a latency, and says that its bytes differ."""
    nudged = wrapping(
        checkpoint, "nudged", lambda call, _inputs: replace(call, outputs=lambda: tuple(map(up, call.outputs())))
    )
    *others, last = compare_variants([*cpu_variants(checkpoint), nudged], source, batch=7, rounds=ROUNDS).rows
    check_measured(last)
    assert (last.bytes_equal, others[0].bytes_equal) == (False, True)


def test_the_worst_of_before_and_after_counts(checkpoint, source):
    """The outputs are the reference's before timing, and one unit in the last place off after it; then the reverse."""
    for order in ([lambda y: y, up], [up, lambda y: y]):
        looks = iter(order)
        moving = wrapping(
            checkpoint,
            "moving",
            lambda call, _inputs, looks=looks: replace(call, outputs=lambda: tuple(map(next(looks), call.outputs()))),
        )
        *others, last = compare_variants([*cpu_variants(checkpoint), moving], source, batch=7, rounds=ROUNDS).rows
        assert next(looks, None) is None
        assert last.worst_error > others[0].worst_error
        assert last.bytes_equal is False


def test_each_row_is_built_once_and_progress_counts_the_rounds(checkpoint, source):
    built, done = [], []
    variants = [
        Variant(name=variant.name, build=lambda variant=variant: built.append(variant.name) or variant.build())
        for variant in cpu_variants(checkpoint)
    ]
    compare_variants(variants, source, batch=1, rounds=ROUNDS, progress=done.append)
    assert built == [variant.name for variant in variants]
    assert done == list(range(1, ROUNDS + 1))


def test_every_row_has_the_same_inputs_of_the_batch_asked(checkpoint, source):
    bound = []

    def wrap(call, inputs) -> Call:
        bound.append(inputs[0].copy())
        return call

    watching = [wrapping(checkpoint, name, wrap) for name in (REFERENCE, NULL, "third")]
    compare_variants(watching, source, batch=33, rounds=ROUNDS)
    assert len(bound) == 3
    assert all(array.shape == (33, 3) and array.tobytes() == bound[0].tobytes() for array in bound)
