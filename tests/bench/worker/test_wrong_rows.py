"""Rows with wrong outputs are not timed, and no other row pays for them."""

import re
from dataclasses import replace

import pytest
import torch

import bench.worker.measurement
from bench.plan.variants import NULL, REFERENCE, cpu_variants
from bench.worker.lifecycle import Imported
from bench.worker.measurement import measure
from export.bundle.build import build as build_artifact
from export.formats.names import Format
from export.runners.base import Call
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import MismatchError
from tests.faulty_rows import check_measured, check_struck_out, faulty, one_bit, scaled, to_nan, up, wrapping


@pytest.mark.parametrize(
    ("change", "hide", "message"),
    [
        (scaled, True, r"^planted: batch 7: 'output' at row \d, element \(0,\) is .*, expected .* within"),
        (to_nan, True, r"^planted: batch 7: 'output' at row \d, element \(0,\) is nan, expected"),
        (scaled, False, r"^wrong: parameter 'linear_layer.weight' differs from the state_dict"),
        (one_bit, False, r"^wrong: parameter 'linear_layer.weight' differs from the state_dict"),
    ],
    ids=["output", "nan", "parameter", "one-bit"],
)
def test_a_wrong_row_has_a_problem_and_no_latency_and_the_others_have_theirs(
    job, planted, penguins, monkeypatch, change, hide, message
):
    timed = []
    real = bench.worker.measurement.measure_rounds
    monkeypatch.setattr(
        bench.worker.measurement, "measure_rounds", lambda calls, **more: timed.extend(calls) or real(calls, **more)
    )
    planted(planted=faulty(penguins, change, hide=hide))
    own = job()
    rows = measure(own).rows[1, 7]
    check_struck_out(rows["planted"])
    assert re.search(message, rows["planted"].problem)
    others = [variant.name for variant in own.variants if variant.name != "planted"]
    assert len(others) == 4
    for name in others:
        check_measured(rows[name])
    assert timed == others


@pytest.mark.parametrize("name", [REFERENCE, NULL])
@pytest.mark.parametrize("hide", [True, False], ids=["output", "parameter"])
def test_nothing_is_compared_with_a_wrong_reference(job, planted, penguins, name, hide):
    planted(**{name: faulty(penguins, scaled, hide=hide)})
    done = []
    with pytest.raises(MismatchError, match=r": .*; nothing can be compared with it$"):
        measure(job(), progress=done.append)
    assert done == []


# One call is made before timing; 8 are the warm-in of calibration, and there are 10 rounds of at least 9 calls.
@pytest.mark.parametrize(
    ("after", "change", "hide"),
    [(1, scaled, True), (20, scaled, True), (60, scaled, True), (20, scaled, False), (20, one_bit, False)],
    ids=["first", "output", "late", "parameter", "one-bit"],
)
def test_a_row_that_turns_wrong_while_it_is_timed_is_caught(job, planted, penguins, after, change, hide):
    planted(planted=faulty(penguins, change, after=after, hide=hide))
    rows = measure(job()).rows[1, 7]
    check_struck_out(rows.pop("planted"))
    for measured in rows.values():
        check_measured(measured)


@pytest.mark.parametrize("name", [REFERENCE, NULL])
def test_a_reference_that_turns_wrong_while_it_is_timed_is_caught(job, planted, penguins, name):
    planted(**{name: faulty(penguins, scaled, after=20)})
    with pytest.raises(MismatchError, match=rf"^{name}: .*; nothing can be compared with it$"):
        measure(job())


def test_a_row_wrong_at_one_batch_only_has_its_latency_at_the_other(job, planted, penguins):
    def wrap(call, inputs):
        return call if len(inputs[0]) == 1 else replace(call, outputs=lambda: tuple(-y for y in call.outputs()))

    planted(planted=wrapping(penguins, wrap))
    result = measure(job(batches=(1, 7)))
    check_measured(result.rows[1, 1]["planted"])
    check_struck_out(result.rows[1, 7]["planted"])


def test_a_row_that_does_not_run_is_struck_out(job, planted, penguins):
    def wrap(call, inputs):
        def outputs():
            raise RuntimeError("no\nsuch batch")

        return replace(call, outputs=outputs)

    planted(planted=wrapping(penguins, wrap))
    rows = measure(job()).rows[1, 7]
    check_struck_out(rows["planted"])
    assert rows["planted"].problem == "planted: batch 7: does not run: no such batch"
    check_measured(rows["eager-no_grad"])


def test_an_artifact_of_a_fixed_batch_is_struck_out_at_another(job, bundle):
    source = from_checkpoint(load(bundle), static=True)
    (bundle / "model.onnx").write_bytes(build_artifact(source, Format.ONNX))
    (bundle / "manifest.json").unlink()
    own = job(cpu_variants(), bundle=bundle, batches=(1, 7), fresh="onnxruntime-run")
    result = measure(own, imported=Imported(seconds=1.0, memory_bytes=1))
    for name in ("onnxruntime-run", "onnxruntime-io_binding"):
        check_measured(result.rows[1, 1][name])
        check_struck_out(result.rows[1, 7][name])
        assert f"{name}: batch 7: does not run" in result.rows[1, 7][name].problem
    assert result.lifecycle is not None, "it starts at batch 1, where it runs"
    assert measure(replace(own, batches=(7,)), imported=Imported(seconds=1.0, memory_bytes=1)).lifecycle is None


def test_a_row_that_writes_into_the_inputs_harms_no_other(job, planted, penguins):
    # Each row has bound a copy of the inputs.
    def wrap(call, inputs) -> Call:
        (held,) = call.run.args

        def run() -> None:
            with torch.inference_mode():
                held.add_(1)
            call.run()

        return replace(call, run=run)

    planted(planted=wrapping(penguins, wrap))
    rows = measure(job()).rows[1, 7]
    check_struck_out(rows.pop("planted"))
    for measured in rows.values():
        check_measured(measured)


def test_a_row_within_the_bound_but_of_other_bytes_says_so(job, planted, penguins):
    """One unit in the last place is allowed: the row has a latency, and says that its bytes differ."""
    planted(planted=wrapping(penguins, lambda call, _: replace(call, outputs=lambda: tuple(map(up, call.outputs())))))
    rows = measure(job()).rows[1, 7]
    check_measured(rows["planted"])
    assert (rows["planted"].bytes_equal, rows[REFERENCE].bytes_equal) == (False, True)


@pytest.mark.parametrize("order", [(lambda y: y, up), (up, lambda y: y)], ids=["after", "before"])
def test_the_worst_of_before_and_after_counts(job, planted, penguins, order):
    """The outputs are one unit in the last place off either before timing or after it."""
    looks = iter(order)
    planted(
        planted=wrapping(
            penguins, lambda call, _: replace(call, outputs=lambda: tuple(map(next(looks), call.outputs())))
        )
    )
    rows = measure(job()).rows[1, 7]
    assert next(looks, None) is None
    assert rows["planted"].worst_error > rows[REFERENCE].worst_error
    assert rows["planted"].bytes_equal is False
