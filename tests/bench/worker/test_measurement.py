"""Equality before speed: a row that answers wrongly has no latency, and no other row pays for it."""

import gc
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import bench.worker.measurement
from bench.plan.preparation import prepare_answers
from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Origin, Variant, cpu_variants, eager_variants
from bench.worker.lifecycle import Imported
from bench.worker.measurement import BINDINGS, measure
from bench.worker.messages import Job
from bench.worker.rounds import Blocks
from export.bundle.write import build as build_artifact
from export.formats.names import Format
from export.runners.base import Call, Runner
from export.runners.torch import torch_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError, MismatchError
from tests.bench_rows import prepare
from tests.conftest import TESTS
from tests.nets import INPUTS, TwoTowers

ROUNDS = 10
FEW = [*eager_variants()[:2], Variant(name="planted", kind=Kind.EAGER), Variant(name=FLOOR, kind=Kind.FLOOR)]
"""The reference, another row, one that tests replace, and the floor."""


@pytest.fixture(autouse=True)
def threads():
    """A measurement gives torch its threads; the tests after it have the old number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def frozen():
    """A measurement collects garbage first: less of it is looked at, so that the tests are quick."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def job(penguins, tmp_path):
    """A job in a work folder of its own."""

    def make(variants=FEW, *, batches=(7,), subjects=None, bundle=penguins, **more) -> Job:
        subjects = subjects or {"model": Subject(path=str(bundle))}
        source = prepare_answers(tmp_path, subjects, batches)["model"]
        given = dict.fromkeys(more.pop("given", ()), Origin.BUNDLE)
        reference = more.pop("reference", REFERENCE)
        prepared = prepare(variants, source, bundle, tmp_path, reference=reference, given=given)
        assert prepared.skipped == ()
        ready = {"variants": prepared.variants, "subjects": subjects, "folder": tmp_path, "batches": batches}
        return Job(**{**ready, "rounds": ROUNDS, "seed": 1, **more})

    return make


@pytest.fixture
def planted(monkeypatch):
    """Put other runners in the place of rows, by name."""

    def plant(**makers) -> None:
        real = bench.worker.measurement.build
        monkeypatch.setattr(
            bench.worker.measurement,
            "build",
            lambda variant, *words, **more: (
                makers[variant.name]() if variant.name in makers else real(variant, *words, **more)
            ),
        )

    return plant


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


def test_every_row_is_measured_and_proved(job):
    own = job(cpu_variants(), batches=(1, 7))
    result = measure(own)
    assert list(result.rows) == [(1, 1), (1, 7)]
    for rows in result.rows.values():
        assert list(rows) == [variant.name for variant in own.variants]
        assert {REFERENCE, NULL, FLOOR, "pt2", "onnxruntime-io_binding"} < set(rows)
        for name, measured in rows.items():
            check_measured(measured)
            if name.startswith(("eager", "null")):
                assert measured.bytes_equal, name
    assert result.lifecycle is None
    assert result.preempted >= 0


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
    assert rows["planted"].problem == "planted: batch 7: does not run, expected an answer: no such batch"
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


def test_each_row_is_built_once_for_each_count_of_threads(job, monkeypatch):
    built = []
    real = bench.worker.measurement.build

    def build(variant, *words, threads, **more):
        built.append((variant.name, threads, torch.get_num_threads()))
        return real(variant, *words, threads=threads, **more)

    monkeypatch.setattr(bench.worker.measurement, "build", build)
    own = job(threads=(2, 1), batches=(1, 7))
    result = measure(own)
    names = [variant.name for variant in own.variants]
    assert built == [*((name, 2, 2) for name in names), *((name, 1, 1) for name in names)]
    assert list(result.rows) == [(2, 1), (2, 7), (1, 1), (1, 7)]
    assert result.torch_threads == {2: 2, 1: 1}


def test_threads_that_torch_does_not_take_are_refused(job, monkeypatch):
    own, before = job(threads=(2,)), torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    try:
        with pytest.raises(LinregError, match="--threads 2: torch has 5, so budgets would be unequal"):
            measure(own)
    finally:
        torch.set_num_threads(before)


def test_progress_counts_the_rounds_of_all_batches_and_threads(job):
    done = []
    measure(job(threads=(1, 2), batches=(1, 7)), progress=done.append)
    assert done == list(range(1, 4 * ROUNDS + 1))


def test_every_row_has_the_same_inputs_of_the_batch_asked(job, planted, penguins):
    bound = []

    def wrap(call, inputs) -> Call:
        bound.append(inputs[0].copy())
        return call

    watching = wrapping(penguins, wrap)
    planted(**{REFERENCE: watching, NULL: watching, "planted": watching})
    measure(job(batches=(33,)))
    assert len(bound) == 3 * BINDINGS
    assert all(array.shape == (33, 3) and array.tobytes() == bound[0].tobytes() for array in bound)


def test_a_row_is_held_to_the_answers_of_its_own_subject(job, penguins, tmp_path):
    """Of two models each artifact answers as its own; as the other's it is wrong."""
    other = tmp_path / "other"
    other.mkdir()
    weights = load(penguins).model
    with torch.no_grad():
        weights.linear_layer.weight.mul_(2)
    torch.save(weights.state_dict(), other / "model.pth")
    data = build_artifact(from_checkpoint(load(other)), Format.ONNX)
    (tmp_path / "against-model.onnx").write_bytes(data)
    subjects = {"model": Subject(path=str(penguins)), "against": Subject(path=str(other))}
    rows = [
        *FEW[:2],
        Variant(name="theirs", kind=Kind.ONNXRUNTIME_RUN, file="against-model.onnx", subject="against"),
        Variant(name="confused", kind=Kind.ONNXRUNTIME_RUN, file="against-model.onnx"),
    ]
    found = measure(job(rows, subjects=subjects, given=["against-model.onnx"])).rows[1, 7]
    check_measured(found["theirs"])
    check_struck_out(found["confused"])


def test_a_module_of_ones_own_with_two_inputs_and_outputs(job):
    subject = Subject(module=f"{TESTS}/nets.py:make_two_towers", inputs=tuple(INPUTS[TwoTowers]))
    own = job(cpu_variants(), subjects={"model": subject}, bundle=None)
    for name, measured in measure(own).rows[1, 7].items():
        check_measured(measured)
        assert measured.bytes_equal or not name.startswith("eager"), name


FACTORIES = """
from dataclasses import replace
from pathlib import Path

import numpy as np

from export.runners.torch import torch_runner
from linreg.checkpoint import load

BUNDLE = Path({bundle!r})


def right():
    return torch_runner("mine", load(BUNDLE).model)


def wrong():
    runner = right()

    def bind(inputs):
        call = runner.bind(inputs)
        return replace(call, outputs=lambda: tuple(np.full_like(y, np.nan) for y in call.outputs()))

    return replace(runner, bind=bind)


def silent():
    runner = right()
    return replace(runner, bind=lambda inputs: replace(runner.bind(inputs), outputs=tuple))
"""


def test_rows_of_a_factory_are_proved_as_well(job, penguins, tmp_path):
    path = tmp_path / "factories_measured.py"
    path.write_text(FACTORIES.format(bundle=str(penguins)))
    rows = [Variant(name=name, kind=Kind.FACTORY, file=f"{path}:{name}") for name in ("right", "wrong", "silent")]
    found = measure(job([*FEW[:2], *rows])).rows[1, 7]
    check_measured(found["right"])
    assert found["right"].bytes_equal
    check_struck_out(found["wrong"])
    assert "is nan, expected" in found["wrong"].problem
    check_struck_out(found["silent"])
    assert found["silent"].problem == "silent: batch 7: gives 0 outputs, expected 1"


def test_a_fresh_process_gives_a_sample_of_its_start(job, penguins):
    own = job(cpu_variants(), fresh="pt2")
    sample = measure(own, imported=Imported(seconds=1.25, memory_bytes=10**9)).lifecycle
    assert (sample.name, sample.import_s) == ("pt2", 1.25)
    assert sample.file_bytes == (penguins / "model.pt2").stat().st_size
    assert sample.load_s > 0
    assert len(sample.calls_s) == 3
    assert sample.memory_bytes >= 10**9
    eager = measure(replace(own, fresh=REFERENCE), imported=Imported(seconds=1.0, memory_bytes=0)).lifecycle
    assert (eager.name, eager.file_bytes) == (REFERENCE, 0)


def test_tails_are_single_calls_of_every_good_row(job, planted, penguins):
    planted(planted=faulty(penguins, scaled))
    rows = measure(job(single_calls=25)).rows[1, 7]
    assert {name: len(measured.single_s) for name, measured in rows.items()} == {
        REFERENCE: 25,
        NULL: 25,
        "eager-no_grad": 25,
        "planted": 0,
        FLOOR: 25,
    }
    assert all(second > 0 for second in rows[REFERENCE].single_s)
    assert not any(measured.single_s for measured in measure(job(single_calls=0)).rows[1, 7].values())


@pytest.mark.parametrize(
    ("call_s", "asked", "count"), [(1e-6, 700, 700), (0.04, 700, 2), (0.2, 700, 0), (1e-6, 0, 0)], ids=str
)
def test_so_many_single_calls_as_there_is_time_for_and_none_on_cuda(job, call_s, asked, count):
    made = []
    call = Call(run=lambda: made.append(1), outputs=lambda: (), context=torch.no_grad)
    block_s = np.full(3, call_s * 10)
    blocks = Blocks(calls=10, block_s=block_s, host_s=block_s)
    own = job(single_calls=asked)
    assert len(bench.worker.measurement._tail(call, blocks, own)) == count
    assert len(made) == count
    assert bench.worker.measurement._tail(call, blocks, replace(own, device=Device.CUDA)) == ()
    assert len(made) == count
