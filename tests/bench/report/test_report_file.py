"""bench.json is read as it was written, and what is no report of this version is refused."""

import json
import math
import re
from copy import deepcopy

import pytest

from bench.analysis.gate import compare_reports
from bench.plan.variants import Device
from bench.report.schema import read_report, write_report
from linreg.errors import LinregError, ModelError
from tests import bench_reports
from tests.bench_measured import RUNTIMES, as_json


@pytest.mark.parametrize("device", [*Device])
def test_it_goes_through_a_file_unchanged(tmp_path, device):
    report = as_json(device=device, self_check={"passed": True, "excluded": 0.045}, runtimes=RUNTIMES)
    assert (
        json.loads(json.dumps(report, allow_nan=False)) == report
    )  # tuples are lists already, and nothing is infinite
    write_report(tmp_path / "bench.json", report)
    assert read_report(tmp_path / "bench.json") == report


def test_the_file_has_a_line_a_key(tmp_path):
    report = as_json()
    write_report(tmp_path / "bench.json", report)
    lines = (tmp_path / "bench.json").read_text().splitlines()
    assert [line.split('"')[1] for line in lines[1:-1]] == [*report]
    assert (lines[0], lines[-1]) == ("{", "}")


def test_names_of_any_kind_go_through_the_file(tmp_path):
    for place, report in enumerate((bench_reports.hostile(), *bench_reports.SAMPLES.values())):
        write_report(tmp_path / f"{place}.json", report)
        assert read_report(tmp_path / f"{place}.json") == report


def test_infinity_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path / "bench.json", {**as_json(), "quality": math.inf})
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize(
    ("change", "got"),
    [({"schema_version": 1}, "1"), ({"schema_version": 3}, "3"), ({"schema_version": "2"}, "2")],
    ids=str,
)
def test_another_version_is_refused(tmp_path, change, got):
    write_report(tmp_path / "bench.json", {**as_json(), **change})
    with pytest.raises(ModelError) as caught:
        read_report(tmp_path / "bench.json")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'bench.json'}: is no report of schema version 2")
    assert f"got {got}" in message
    assert "linreg bench" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', '{"comparisons": []}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "bench.json"))):
        read_report(tmp_path / "bench.json")


def test_a_missing_report_is_one_line(tmp_path):
    with pytest.raises(LinregError, match="no such file"):
        read_report(tmp_path / "bench.json")


def places(value, path=()):
    """The path of every field of a report that a gate may read: of the first entry of each list."""
    fields = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in fields:
        yield (*path, key)
        yield from places(inner, (*path, key))


GATE = [
    path
    for path in places(bench_reports.report(bench_reports.comparison([bench_reports.row("a", 1.0)])))
    if path[0] in ("schema_version", "reference", "settings", "environment", "comparisons")
]
WRONG = [None, True, -1, 0, 1.5, 10**400, "", "x" * 10_000, [], {}, [[]], [None], [{}], {"estimate": None}]


def test_a_damaged_report_is_one_line_or_can_be_compared(tmp_path):
    """Every field taken away, and replaced by values of every type: read_report refuses it, or the gate takes it."""
    whole = bench_reports.report(bench_reports.comparison([bench_reports.row("a", 1.0)]))
    refused = 0
    for path in GATE:
        for value in (KeyError, *WRONG):
            damaged = deepcopy(whole)
            place = damaged
            for key in path[:-1]:
                place = place[key]
            if value is KeyError:
                del place[path[-1]]
            else:
                place[path[-1]] = value
            (tmp_path / "bench.json").write_text(json.dumps(damaged))
            try:
                compare_reports(read_report(tmp_path / "bench.json"), whole, limit=0.03)
            except LinregError as error:
                refused += 1
                assert "\n" not in str(error)
                assert len(str(error)) < 500
    assert refused > 5 * len(GATE)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (("comparisons", 0, "rows", 0, "ratio"), "comparisons[0].rows[0].ratio is missing"),
        (
            ("comparisons", 0, "rows", 0, "ratio", "estimate"),
            "comparisons[0].rows[0].ratio has no estimate, low and high",
        ),
        (("comparisons", 0, "rows", 0, "processes", 0, "ratio"), "rows[0].processes[0].ratio has no estimate"),
        (("comparisons", 0, "batch"), "comparisons[0].batch is missing"),
        (("comparisons",), "comparisons is missing"),
        (("settings", "threads"), "settings.threads is no list of whole numbers"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_the_first_fault_is_named(tmp_path, path, fault):
    damaged = bench_reports.report(bench_reports.comparison([bench_reports.row("a", 1.0)]))
    place = damaged
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    (tmp_path / "bench.json").write_text(json.dumps(damaged))
    with pytest.raises(ModelError, match=f"is a damaged report: .*{re.escape(fault)}"):
        read_report(tmp_path / "bench.json")


@pytest.mark.parametrize("digits", [5000, 100])
def test_numbers_beyond_any_measurement_are_refused(tmp_path, digits):
    text = json.dumps(bench_reports.report(bench_reports.comparison([bench_reports.row("a", 1.0)])))
    (tmp_path / "bench.json").write_text(text.replace('"estimate": 1.0', f'"estimate": {"9" * digits}'))
    with pytest.raises(ModelError, match=r"is not valid JSON|estimate is no number from 1e-12 to 1e\+12"):
        read_report(tmp_path / "bench.json")


def test_a_report_nested_too_deeply_is_one_line(tmp_path):
    (tmp_path / "bench.json").write_text("[" * 200_000)
    with pytest.raises(ModelError, match="is not valid JSON"):
        read_report(tmp_path / "bench.json")
