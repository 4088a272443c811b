"""The same job in real processes: what comes back, when they end, and how one that fails is told."""

import os
import signal
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import bench.processes
from bench.benchmark import run_benchmark
from bench.plan.expected import SEED
from bench.plan.preparation import keep_states, prepare_answers
from bench.plan.subject import Subject
from bench.plan.variants import (
    FLOOR,
    NULL,
    REFERENCE,
    Device,
    Kind,
    Variant,
    cpu_variants,
    cuda_variants,
    eager_variants,
)
from bench.processes import lifecycle_names, run_in_process, run_processes
from bench.worker.measurement import measure
from bench.worker.messages import Job, Measured, ProcessResult
from bench.worker.rounds import Blocks
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError
from tests.bench_rows import prepare
from tests.conftest import TESTS

ROUNDS = 10
NETS = TESTS / "nets.py"


def never(_results) -> bool:
    return False


@pytest.fixture
def job(penguins, tmp_path):
    """A job in a work folder of its own."""

    def make(variants=None, *, subject=None, bundle=penguins, reference=REFERENCE, **more) -> Job:
        subjects = {"model": subject or Subject(path=str(bundle))}
        sources = prepare_answers(tmp_path, subjects, (7,))
        subjects = keep_states(tmp_path, subjects, sources)
        prepared = prepare(variants or eager_variants()[:2], sources["model"], bundle, tmp_path, reference=reference)
        given = {"variants": prepared.variants, "subjects": subjects, "folder": tmp_path, "batches": (7,)}
        return Job(**{**given, "rounds": ROUNDS, "seed": 1, "single_calls": 20, **more})

    return make


def shape(result):
    """All of a result but its figures."""
    return {
        key: {
            name: (row.problem, row.bytes_equal, row.worst_error, row.blocks.block_s.shape, len(row.single_s))
            for name, row in rows.items()
        }
        for key, rows in result.rows.items()
    }


def test_two_processes_give_what_this_one_gives_and_a_sample_of_its_start_each(job):
    own = job([row for row in cpu_variants() if row.name in (REFERENCE, "onnxruntime-run", FLOOR)])
    before = torch.get_num_threads()
    try:
        here = measure(own)
    finally:
        torch.set_num_threads(before)
    first, second = run_processes(own, 2, never)
    assert shape(first) == shape(second) == shape(here)
    assert first.torch_threads == second.torch_threads == {1: 1}
    assert (first.lifecycle.name, second.lifecycle.name) == (REFERENCE, "onnxruntime-run")
    for result in (first, second):
        sample = result.lifecycle
        assert min(sample.import_s, sample.load_s, *sample.calls_s, sample.steady_s) > 0
        assert sample.memory_bytes > 2**20, "a runtime was imported"
        assert result.preempted >= 0
    blocks = [result.rows[1, 7][REFERENCE].blocks.block_s for result in (first, second)]
    assert not np.array_equal(*blocks)


@pytest.fixture
def started(monkeypatch):
    """Record the jobs instead of running them."""
    jobs = []
    monkeypatch.setattr(bench.processes, "run_in_process", lambda job: jobs.append(job) or len(jobs))
    return jobs


def test_the_variants_that_are_loaded_first_rotate_and_the_orders_differ(job, started):
    own = job(cpu_variants())
    names = lifecycle_names(own)
    assert list(run_processes(own, 8, never)) == list(range(1, 9))
    assert [each.fresh for each in started] == [*names, *names][:8]
    assert len({each.seed for each in started}) == 8
    assert all(replace(each, seed=own.seed, fresh=own.fresh) == own for each in started)


def test_no_two_orders_agree_where_batches_are_of_any_size(job, started):
    # The seed of a batch is the seed of the process plus the batch.
    list(run_processes(job(), 3, never))
    assert np.diff([each.seed for each in started]).min() >= 1000


def test_a_job_without_a_variant_that_is_loaded_has_no_sample(job, started):
    floor = Variant(name=REFERENCE, kind=Kind.FLOOR)
    own = replace(job(), variants=(floor, replace(floor, name=NULL)))
    assert lifecycle_names(own) == []
    list(run_processes(own, 2, never))
    assert [each.fresh for each in started] == ["", ""]


@pytest.mark.parametrize(("after", "expected"), [(1, 1), (3, 3), (9, 5)])
def test_no_process_is_started_once_it_is_enough(job, started, after, expected):
    seen = []

    def enough(results) -> bool:
        seen.append(list(results))
        return len(results) == after

    assert list(run_processes(job(), 5, enough)) == list(range(1, expected + 1))
    assert len(started) == expected
    assert seen == [list(range(1, count + 1)) for count in range(1, expected + 1)]


def test_one_variant_for_each_way_to_load_a_model(job):
    assert lifecycle_names(job([*cpu_variants(compiled=True)])) == [
        REFERENCE,
        "torchscript",
        "torchscript-frozen",
        "torchscript-trace",
        "compile",
        "pt2",
        "onnxruntime-run",
    ]
    last = job(cpu_variants(), reference="onnxruntime-io_binding")
    assert lifecycle_names(last)[0] == "onnxruntime-io_binding"
    assert "onnxruntime-run" not in lifecycle_names(last)


def test_copies_to_a_device_have_no_start_of_their_own(job):
    own = replace(job(), variants=(*job().variants, *cuda_variants()[-4:]))
    assert lifecycle_names(own) == [REFERENCE, "onnxruntime-io_binding"]


def with_a_wrong_weight(data: bytes) -> bytes:
    model = onnx.load_model_from_string(data)
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.001), tensor.name))
    return model.SerializeToString()


def test_a_wrong_reference_in_a_process_is_a_mismatch_here(job, bundle):
    (bundle / "model.onnx").write_bytes(with_a_wrong_weight((bundle / "model.onnx").read_bytes()))
    (bundle / "manifest.json").unlink()
    own = job(cpu_variants(), bundle=bundle, reference="onnxruntime-run")
    with pytest.raises(MismatchError, match=r"^model\.onnx: parameter .*; nothing can be compared with it$"):
        run_in_process(own)


def test_an_expected_failure_in_a_process_is_its_one_line_here(job):
    own = job()
    own = replace(own, subjects={"model": Subject(path=str(own.folder / "missing.pth"))})
    with pytest.raises(LinregError) as caught:
        run_in_process(own)
    assert type(caught.value) is LinregError
    assert str(caught.value).startswith(f"{own.folder}/missing.pth: ")
    assert "\n" not in str(caught.value)


def worker(monkeypatch, tmp_path, code: str) -> None:
    """Let other code run in the place of the worker."""
    (tmp_path / "program").mkdir(exist_ok=True)
    path = tmp_path / "program" / "python"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('it\\nbroke')", "a process of the benchmark failed: broke"),
        (
            "import os, sys; print('careful', file=sys.stderr, flush=True); os.kill(os.getpid(), 9)",
            "a process of the benchmark was ended by SIGKILL; is there enough memory?",
        ),
        ("import sys; sys.exit(5)", "a process of the benchmark failed: it ended with 5 and said nothing"),
        ("import sys; sys.exit('error: ' + 900 * 'x')", 500 * "x"),
    ],
    ids=["traceback", "killed", "silent", "long"],
)
def test_a_process_that_breaks_is_one_line(job, monkeypatch, tmp_path, code, message):
    own = job()
    worker(monkeypatch, tmp_path, code)
    with pytest.raises(LinregError) as caught:
        run_in_process(own)
    assert str(caught.value) == message
    assert type(caught.value) is LinregError


def test_a_process_that_takes_too_long_is_ended_and_told(job, monkeypatch, tmp_path):
    own = job()
    worker(
        monkeypatch,
        tmp_path,
        f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )
    monkeypatch.setattr(bench.processes, "TIMEOUT_S", 1.0)
    with pytest.raises(LinregError, match="a process took more than 1 s; use less --rounds"):
        run_in_process(own)
    pid = (tmp_path / "pid").read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), signal.SIGCONT)


def test_a_process_gets_no_stdin_and_leaves_nothing_behind(job, monkeypatch, tmp_path):
    own = job()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    report = tmp_path / "seen"
    worker(monkeypatch, tmp_path, f"import sys; open({str(report)!r}, 'w').write(sys.stdin.read() + '|' + sys.argv[3])")
    with pytest.raises(LinregError):  # it has written no result
        run_in_process(own)
    assert report.read_text() == "|bench.worker.process"
    assert list((tmp_path / "temporary").iterdir()) == []


LOUD = f"""
import os, sys

print("hello from a module")
os.write(1, b"{{}}")
print("careful", file=sys.stderr)
sys.path.insert(0, {str(NETS.parent)!r})

from nets import Mlp  # its parameters are random
"""


def test_a_module_that_prints_does_no_harm(job, tmp_path, capfd):
    path = tmp_path / "loud_module.py"
    path.write_text(LOUD)
    own = job(subject=Subject(module=f"{path}:Mlp", inputs=("x=float32[batch,16]",)), bundle=None)
    capfd.readouterr()
    result = run_in_process(replace(own, fresh=REFERENCE))
    assert capfd.readouterr() == ("", "")
    assert [row.problem for row in result.rows[1, 7].values()] == ["", "", ""]
    assert result.lifecycle.name == REFERENCE


def test_a_file_beside_the_folder_where_one_is_shadows_no_library(job, tmp_path, monkeypatch):
    """-P: the current folder is not where Python looks for modules."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "numpy.py").write_text("raise SystemExit('shadowed')")
    own = job()
    monkeypatch.chdir(tmp_path / "here")
    assert run_in_process(own).rows[1, 7][REFERENCE].problem == ""


def test_a_whole_benchmark_in_two_processes(penguins):
    done = []
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CPU: eager_variants()[:2]},
        BenchSettings(batches=(7,), rounds=ROUNDS, processes=2, single_calls=0),
        bundle=penguins,
        provided={},
        progress=done.append,
    )
    assert done == [1, 2]
    assert report.settings.processes_run == 2
    assert [(row.name, row.samples) for row in report.lifecycle] == [(REFERENCE, 2)]
    (comparison,) = report.comparisons
    assert [len(row.processes) for row in comparison.rows] == [2, 2, 2]


@pytest.mark.parametrize(
    ("spread", "settings", "expected"),
    [
        (0.001, {}, 7),  # narrow: as soon as that is believed
        (0.018, {}, 10),  # wider than 1 %, and not than 2 %
        (0.018, {"more_processes": 5}, 10),
        (0.06, {}, 10),
        (0.06, {"more_processes": 5}, 15),
        (0.03, {"more_processes": 5}, 13),
        (0.06, {"processes": 3}, 3),
        (0.001, {"processes": 3}, 3),
    ],
)
def test_how_many_processes_it_takes(penguins, monkeypatch, spread, settings, expected):
    """Ten, fewer where all intervals are within 1 % to either side, and more while one is not within 2 %."""
    signs = [1, -1, 0.5, -0.5, 0.8, -0.8, 0.3, -0.3, 1, -1, 1, -1, 0.5, -0.5, 0.8]

    def made(own: Job) -> ProcessResult:
        place = (own.seed - SEED) // 1000
        factors = {row.name: 1 + spread * signs[place] * (row.name == "eager-no_grad") for row in own.variants}
        blocks = {
            name: Blocks(calls=1, block_s=np.full(10, factor), host_s=np.full(10, factor))
            for name, factor in factors.items()
        }
        rows = {name: Measured(blocks=series) for name, series in blocks.items()}
        return ProcessResult(rows={(1, 7): rows}, lifecycle=None, preempted=0, torch_threads={1: 1})

    monkeypatch.setattr(bench.processes, "run_in_process", made)
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CPU: eager_variants()[:2]},
        BenchSettings(batches=(7,), rounds=ROUNDS, **settings),
        bundle=penguins,
        provided={},
    )
    assert report.settings.processes_run == expected


def test_a_benchmark_in_this_process_has_no_lifecycle(penguins):
    before, done = torch.get_num_threads(), []
    try:
        report = run_benchmark(
            {"model": Subject(path=str(penguins))},
            {Device.CPU: eager_variants()[:2]},
            BenchSettings(batches=(1, 7), rounds=ROUNDS, processes=1, single_calls=0),
            bundle=penguins,
            provided={},
            progress=done.append,
        )
    finally:
        torch.set_num_threads(before)
    assert (report.settings.processes_run, report.lifecycle) == (1, ())
    assert done == [0] * (2 * ROUNDS - 1) + [1]
