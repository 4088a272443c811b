"""What is said before a benchmark starts about how long it will take, against benchmarks that were run."""

import json

import pytest
import torch

from bench.plan.estimate import describe_estimate, estimate_s
from bench.plan.planning import plan_request
from bench.plan.request import Request
from bench.plan.variants import Device, cpu_variants
from linreg.config import BENCH_DEFAULTS, BenchSettings, DeviceChoice
from tests.conftest import ROOT


@pytest.fixture
def plan(penguins):
    return plan_request(Request(model=penguins, device=DeviceChoice.CPU))


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_committed_reports_took_about_as_long(plan, name):
    report = json.loads((ROOT / "artifacts" / "reference" / name / "bench.json").read_text())
    asked = report["settings"]
    assert report["settings"]["processes_run"] == asked["processes"]
    settings = BenchSettings(processes=asked["processes"], rounds=asked["rounds"], batches=tuple(asked["batches"]))
    assert estimate_s(plan, settings) == pytest.approx(report["quality"]["duration_s"], rel=0.25)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            BENCH_DEFAULTS,
            "about 45 s for a small model: 10 processes x 12 variants x 2 batch sizes, and up to 5 more processes "
            "until every interval is within 2%",
        ),
        (
            BenchSettings(processes=1, rounds=10, batches=(1,), threads=(1, 2)),
            "about 4 s for a small model: this process only x 12 variants x 2 thread counts",
        ),
        (
            BenchSettings(processes=100, rounds=1000, batches=(1,)),
            "about 11 min for a small model: 100 processes x 12 variants",
        ),
    ],
)
def test_the_line_names_what_is_multiplied(plan, settings, text):
    assert len(cpu_variants()) == 12
    assert describe_estimate(plan, settings) == text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_takes_no_time(penguins, plan):
    both = plan_request(Request(model=penguins))
    assert set(both.variants) == set(Device)
    assert describe_estimate(both, BENCH_DEFAULTS) == describe_estimate(plan, BENCH_DEFAULTS)


def test_the_command_says_it_before_it_starts(two_processes):
    lines = two_processes[0].stderr.splitlines()
    assert [line for line in lines if line.startswith("about ")] == [
        "about 11 s for a small model: 2 processes x 12 variants"
    ]
