"""What is said before a benchmark starts about how long it will take, against benchmarks that were run."""

import json
import re
from dataclasses import replace

import pytest
import torch

from bench.benchmark import bench
from bench.plan.estimate import MOST_S, Work, estimate, estimate_s, estimate_sets, shortened
from bench.plan.variants import cpu_variants
from bench.report.markdown import to_markdown
from bench.report.page import to_page
from bench.report.report import Report
from bench.worker.measurement import measure
from bench.worker.messages import Job
from bench.worker.pilot import reference_call_s
from linreg.config import BENCH_DEFAULTS, BenchSettings
from tests.conftest import ROOT

SMALL = [Work(rows=1 + len(cpu_variants()), call_s={})]


def slow(*call_s: float) -> list[Work]:
    """Every row of the CPU, whose calls take so long at each of the default batch sizes."""
    return [Work(rows=13, call_s=dict(zip((1, 4096), call_s, strict=False)))]


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_committed_reports_took_about_as_long(name):
    report = json.loads((ROOT / "artifacts" / "reference" / name / "bench.json").read_text())
    asked = report["settings"]
    ran = asked["processes_run"]
    assert asked["processes"] <= ran <= asked["processes"] + asked["more_processes"]
    settings = BenchSettings(processes=ran, rounds=asked["rounds"], batches=tuple(asked["batches"]))
    assert estimate_s(SMALL, settings) == pytest.approx(report["quality"]["duration_s"], rel=0.25)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            BENCH_DEFAULTS,
            "about 45 s: 10 processes x 12 variants x 2 batch sizes, and up to 5 more processes until every interval "
            "is within 2 %; --processes 1: 5 s",
        ),
        (
            BenchSettings(processes=1, rounds=10, batches=(1,), threads=(1, 2)),
            "about 4 s: this process only x 12 variants x 2 thread counts",
        ),
        (
            BenchSettings(processes=100, rounds=1000, batches=(1,)),
            "about 11 min: 100 processes x 12 variants; --processes 1: 7 s",
        ),
    ],
)
def test_the_line_names_what_is_multiplied(settings, text):
    assert len(cpu_variants()) == 12
    assert estimate(SMALL, settings).text == text


@pytest.mark.parametrize("batches", [(1,), (1, 4096)])
@pytest.mark.parametrize("call_s", [1e-5, 1e-3, 0.01, 0.03, 0.05, 0.1])
def test_calls_of_up_to_a_tenth_of_a_second_take_at_most_three_minutes(call_s, batches):
    works = slow(*[call_s] * len(batches))
    found = estimate(works, replace(BENCH_DEFAULTS, batches=batches))
    assert estimate_s(works, found.settings) <= MOST_S == 180
    with_more = found.settings.processes + found.settings.more_processes
    assert estimate_s(works, replace(found.settings, processes=with_more)) <= MOST_S
    assert found.settings.processes >= 3


def test_fewer_processes_run_and_the_line_says_why():
    found = estimate(slow(0.1), replace(BENCH_DEFAULTS, batches=(1,)))
    assert found.settings.processes < BENCH_DEFAULTS.processes
    assert found.settings.more_processes == 0
    reason = f"{found.settings.processes} processes instead of 10, since a call takes 100 ms at batch 1"
    assert shortened(slow(0.1), BENCH_DEFAULTS, found.settings.processes) == reason
    assert re.fullmatch(rf"about [23] min: 12 variants x {reason}; --processes 1: \d+ s", found.text)
    assert "a call takes 2.0 s at batch 4096" in estimate(slow(0.1, 2.0), BENCH_DEFAULTS).text


@pytest.mark.parametrize(
    ("call_s", "processes", "rounds", "text"),
    [
        (0.01, 10, 20, "20 rounds in a process instead of 99, since a call takes 10 ms at batch 1"),
        (1e-5, 4, 99, "4 processes instead of 10, since the time was up"),
        (0.01, 10, 99, ""),
    ],
)
def test_the_report_says_what_was_cut(call_s, processes, rounds, text):
    assert shortened(slow(call_s), BENCH_DEFAULTS, processes, rounds) == text
    assert shortened(slow(call_s), replace(BENCH_DEFAULTS, rounds=10), 10, 10) == ""


def test_a_number_of_processes_that_was_given_stays():
    asked = BenchSettings(processes=10, batches=(1,))
    found = estimate(slow(0.1), asked)
    assert found.settings == asked
    assert "instead of" not in found.text
    assert found.text.startswith("about 5 min: 10 processes")


def test_rounds_that_were_given_are_all_counted():
    few, many = (estimate_s(slow(0.1), BenchSettings(processes=1, batches=(1,), rounds=rounds)) for rounds in (10, 110))
    assert many - few == pytest.approx(100 * 13 * 0.2)  # a call to warm in, and one that counts


def test_a_device_without_rows_takes_no_time():
    assert estimate([], BENCH_DEFAULTS).remaining_s == 0


def test_the_command_says_it_before_it_starts(two_processes):
    lines = [line for line in two_processes[0].stderr.splitlines() if line.startswith("about ")]
    assert len(lines) == 1
    assert re.fullmatch(r"about \d+ s: 2 processes x 12 variants; --processes 1: \d+ s", lines[0])


def test_slow_calls_are_measured_and_the_report_says_that_fewer_processes_ran(monkeypatch):
    found = []

    def run(job, settings, _progress, *, most_s):
        found.append((job, settings, most_s))
        return [measured(job)] * settings.processes

    def measured(job):
        return measure(replace(job, rounds=10, single_calls=0))

    monkeypatch.setattr("bench.devices.run_job", run)
    monkeypatch.setattr("bench.devices.reference_call_s", lambda _job: {1: 0.1})
    report = bench(make_net, inputs="x=float32[batch,3]", batches=1, device="cpu")
    ((job, settings, most_s),) = found
    assert job.slow == (1,)
    assert most_s < MOST_S
    assert settings.processes == report.settings.processes == report.settings.processes_run < 10
    assert report.quality.shortened == (
        f"{settings.processes} processes instead of 10 and 10 rounds in a process instead of 99, "
        "since a call takes 100 ms at batch 1"
    )
    assert report.quality.shortened in to_markdown(report)
    assert f"{report.quality.shortened.replace(' ms', '&nbsp;ms')}." in to_page(report)
    assert job.expected_s == pytest.approx(estimate(slow(0.1), settings).process_s, rel=0.5)
    assert Report.from_json(report.to_json()).quality == report.quality


def test_the_calls_of_a_module_are_timed_at_each_batch_size(monkeypatch):
    found = []
    monkeypatch.setattr(
        "bench.devices.run_job", lambda job, *_words, **_more: found.append(reference_call_s(job)) or []
    )
    bench(make_net, inputs="x=float32[batch,3]", batches=(1, 5), device="cpu")
    assert {batch: seconds > 0 for batch, seconds in found[0].items()} == {1: True, 5: True}


def test_a_reference_that_does_not_run_is_left_to_the_process_that_times_it(tmp_path):
    rows = tuple(cpu_variants())
    assert reference_call_s(Job(variants=rows, subjects={}, folder=tmp_path, batches=(1,), rounds=10, seed=1)) == {}


def make_net() -> torch.nn.Module:
    return torch.nn.Linear(3, 2)


@pytest.mark.parametrize(
    ("set_s", "processes", "text", "most"),
    [
        (0.7, 40, "about 7 s to 30 s: 10 to 40 sets of processes, until every interval is within 0.75 %", 40),
        (0.7, 2, "about 1 s: 2 sets of processes", 2),
        (15.0, 40, "about 2 min to 3 min: 10 to 12 sets of processes, until every interval is within 0.75 %", 12),
        (30.0, 40, "about 3 min: 6 sets of processes", 6),
        (100.0, 40, "about 5 min: 3 sets of processes", 3),
    ],
)
def test_a_comparison_of_environments_says_so_after_its_first_set(set_s, processes, text, most):
    found = estimate_sets(set_s, BenchSettings(processes=processes, target=0.0075), 10)
    assert (found.text, found.settings.processes) == (text, most)
    assert found.remaining_s == pytest.approx((most - 1) * set_s)
