"""bench/report/schema.md names every field of the JSON, and no other."""

import re
from pathlib import Path

import pytest

import bench.report.report
from bench.analysis.statistics import Verdict
from bench.plan.variants import Device, Kind
from tests import bench_reports
from tests.bench_measured import RUNTIMES, as_json, environments

SCHEMA = (Path(bench.report.report.__file__).parent / "schema.md").read_text()


def keys(value) -> set[str]:
    """Of every object but those whose keys are names: versions, tails and missing runtimes."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    named = {"versions", "missing", "self_check"}
    return set(value) | set().union(*(keys(entry) for key, entry in value.items() if key not in named))


@pytest.mark.parametrize("device", [*Device])
def test_every_field_is_documented(device):
    documented = set(re.findall(r"`(\w[\w.]*)`", SCHEMA))
    assert keys(as_json(device=device, runtimes=RUNTIMES, environments=environments())) - documented == set()


def test_every_field_that_is_documented_is_there():
    there = keys(as_json(device=Device.CUDA, runtimes=RUNTIMES, environments=environments()))
    tables = re.findall(r"^`(\w+)` \|", SCHEMA, re.MULTILINE)
    assert len(tables) > 40
    assert set(tables) - there == set()


def test_the_reports_that_tests_make_by_hand_have_the_fields_of_a_real_one():
    real, by_hand = as_json(), bench_reports.report()
    assert set(real["comparisons"][0]["rows"][2]) == set(by_hand["comparisons"][0]["rows"][2])
    assert set(real["lifecycle"][0]) == set(by_hand["lifecycle"][0])
    assert set(by_hand) == set(real)


def test_kinds_and_verdicts_are_those_of_the_schema():
    for name in (*Kind, *Verdict):
        assert f"`{name.value}`" in SCHEMA
