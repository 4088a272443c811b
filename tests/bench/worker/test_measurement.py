"""Every row is proved and timed: threads, inputs, subjects, factories, tails and the sample of a start."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import bench.worker.measurement
from bench.plan.budget import parse_budget, tails
from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Variant, cpu_variants
from bench.worker.lifecycle import Imported
from bench.worker.measurement import BINDINGS, measure
from bench.worker.messages import job_from_json, job_to_json
from bench.worker.rounds import Blocks
from export.bundle.build import build as build_artifact
from export.formats.names import Format
from export.runners.base import Call
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError
from tests.conftest import TESTS
from tests.faulty_rows import FEW, ROUNDS, check_measured, check_struck_out, faulty, scaled, wrapping
from tests.nets import INPUTS, TwoTowers


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
        with pytest.raises(LinregError, match="--threads 2: torch uses 5, so the comparison would be unfair"):
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
    found = measure(job(rows, subjects=subjects, provided=["against-model.onnx"])).rows[1, 7]
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


def test_the_first_calls_of_a_process_use_the_threads_of_the_rows(job, planted, penguins):
    read: list[int] = []

    def recording(call: Call, _inputs) -> Call:
        return replace(call, run=lambda: (read.append(torch.get_num_threads()), call.run())[1])

    planted(planted=wrapping(penguins, recording))
    torch.set_num_threads(4)
    found = measure(job(fresh="planted", threads=(3, 2)), imported=Imported(seconds=1.0, memory_bytes=0))
    assert set(read[:300]) == {3}
    assert set(read) == {3, 2}
    assert found.lifecycle.threads == 3


@pytest.mark.parametrize(("other", "expected"), [(None, 3), (2, 2)])
def test_a_session_of_onnxruntime_starts_with_its_own_number_of_threads(job, other, expected):
    own = job(cpu_variants(), fresh="onnxruntime-run", threads=(3,), onnxruntime_threads=other)
    assert measure(own, imported=Imported(seconds=1.0, memory_bytes=0)).lifecycle.threads == expected


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
    assert bench.worker.measurement._tail(call, blocks, replace(own, device=Device.CUDA), 100, 1e9) == ()
    assert len(made) == count


@pytest.mark.parametrize(("call_s", "count"), [(1e-6, 700), (0.009, 221), (0.0101, 218), (0.1, 22), (5.0, 0)], ids=str)
def test_a_row_with_a_budget_makes_enough_calls_until_it_exceeds_the_budget(job, call_s, count):
    call = Call(run=lambda: None, outputs=lambda: (), context=torch.no_grad)
    blocks = Blocks(calls=1, block_s=np.full(3, call_s), host_s=np.full(3, call_s))
    limits = tails([parse_budget("slow:p99=10ms")], ["slow", "fast"], 3)
    own = job_from_json(job_to_json(job(single_calls=700, tails=limits)))
    assert len(bench.worker.measurement._tail(call, blocks, own, *own.tails["slow"])) == count
    assert "fast" not in own.tails
