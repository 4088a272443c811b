"""bench.json is read as it was written, and what is no report of this version is refused."""

import json
import math
import re
from copy import deepcopy

import pytest

from bench.analysis.parts import Status
from bench.plan.variants import Device
from bench.report.gate import compare_reports
from bench.report.page import to_page
from bench.report.report import Quality, Report
from linreg.errors import LinregError, ModelError
from tests import bench_reports
from tests.bench_measured import RUNTIMES, as_json, made
from tests.bench_reports import parsed
from tests.conftest import ROOT


@pytest.mark.parametrize("device", [*Device])
def test_it_goes_through_a_file_unchanged(tmp_path, device):
    report = made(device=device, self_check={"passed": True, "excluded": 0.045}, runtimes=RUNTIMES)
    values = report.to_values()
    assert (
        json.loads(json.dumps(values, allow_nan=False)) == values
    )  # tuples are lists already, and nothing is infinite
    (tmp_path / "bench.json").write_text(report.to_json())
    assert Report.read(tmp_path / "bench.json") == Report.from_json(report.to_json()) == report
    assert Report.read(tmp_path / "bench.json").to_values() == values


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_a_committed_report_is_written_as_it_was_read(name):
    data = (ROOT / "artifacts" / "reference" / name / "bench.json").read_bytes()
    assert Report.from_json(data).to_json().encode() == data


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_a_committed_page_is_that_of_its_report(name):
    folder = ROOT / "artifacts" / "reference" / name
    assert (folder / "report.html").read_text() == to_page(Report.read(folder / "bench.json"))


def test_the_status_is_told_apart_from_its_reason():
    wrong, absent = made().comparisons[0].rows[-2:]
    assert (wrong.status, wrong.reason, wrong.problem) == (Status.WRONG, *["wrong: output (0, 0) is nan"] * 2)
    assert (absent.status, absent.reason, absent.problem) == (Status.SKIPPED, "no device", "skipped: no device")
    assert Report.from_json(made().to_json()).comparisons[0].rows[-2:] == (wrong, absent)


def test_a_report_is_short_in_a_terminal_and_has_tables_in_a_notebook():
    assert repr(parsed(bench_reports.report())) == (
        "Report(10 processes, batch 1, 1 thread, CPU: Fastest: onnxruntime-io_binding, 2.60×)"
    )
    page = parsed(bench_reports.hostile())._repr_html_()
    assert page.count("<table>") == 4  # three batch sizes and the lifecycle
    assert set(re.findall(r"<(\w+)", page)) == {"p", "table", "caption", "thead", "tbody", "tr", "th", "td", "s"}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", page)
    assert "&lt;/script&gt;" in page


def test_the_page_is_written_to_a_file(tmp_path):
    report = parsed(bench_reports.report())
    report.to_html(str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == to_page(report)


def test_the_file_has_a_line_a_key(tmp_path):
    lines = made().to_json().splitlines()
    assert [line.split('"')[1] for line in lines[1:-1]] == [*as_json()]
    assert (lines[0], lines[-1]) == ("{", "}")


def test_names_of_any_kind_go_through_the_file(tmp_path):
    for place, report in enumerate((bench_reports.hostile(), *bench_reports.SAMPLES.values())):
        (tmp_path / f"{place}.json").write_text(json.dumps(report))
        assert Report.read(tmp_path / f"{place}.json").to_values() == report


def test_infinity_is_never_written():
    with pytest.raises(ValueError, match="JSON"):
        made(quality=Quality(preempted=0, stolen_s=math.inf, duration_s=1.0)).to_json()


@pytest.mark.parametrize(
    ("change", "got"),
    [({"schema_version": 1}, "1"), ({"schema_version": 3}, "3"), ({"schema_version": "2"}, "2")],
    ids=str,
)
def test_another_version_is_refused(tmp_path, change, got):
    (tmp_path / "bench.json").write_text(json.dumps({**as_json(), **change}))
    with pytest.raises(ModelError) as caught:
        Report.read(tmp_path / "bench.json")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'bench.json'}: got schema version {got}, expected a report of version 2")
    assert "linreg bench" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', '{"comparisons": []}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "bench.json"))):
        Report.read(tmp_path / "bench.json")


def test_a_missing_report_is_one_line(tmp_path):
    with pytest.raises(LinregError, match="no such file"):
        Report.read(tmp_path / "bench.json")


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
    """Every field taken away, and replaced by values of every type: Report.read refuses it, or the gate takes it."""
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
                compare_reports(Report.read(tmp_path / "bench.json"), parsed(whole), limit=0.03)
            except LinregError as error:
                refused += 1
                assert "\n" not in str(error)
                assert len(str(error)) < 500
    assert refused > 5 * len(GATE)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (("comparisons", 0, "rows", 0, "ratio"), "comparisons[0].rows[0].ratio is missing"),
        (("comparisons", 0, "rows", 0, "ratio", "estimate"), "comparisons[0].rows[0].ratio.estimate is missing"),
        (
            ("comparisons", 0, "rows", 0, "processes", 0, "ratio"),
            "comparisons[0].rows[0].processes[0].ratio is missing",
        ),
        (("comparisons", 0, "batch"), "comparisons[0].batch is missing"),
        (("comparisons",), ": comparisons is missing"),
        (("settings", "threads"), "settings.threads is missing"),
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
    with pytest.raises(ModelError, match=f"is a damaged report.*{re.escape(fault)}"):
        Report.read(tmp_path / "bench.json")


@pytest.mark.parametrize("digits", [5000, 100])
def test_numbers_beyond_any_measurement_are_refused(tmp_path, digits):
    text = json.dumps(bench_reports.report(bench_reports.comparison([bench_reports.row("a", 1.0)])))
    (tmp_path / "bench.json").write_text(text.replace('"estimate": 1.0', f'"estimate": {"9" * digits}'))
    with pytest.raises(ModelError, match=r"is not valid JSON|estimate of a ratio is 1e\+100, expected 1e-12 to 1e\+12"):
        Report.read(tmp_path / "bench.json")


def test_a_report_nested_too_deeply_is_one_line(tmp_path):
    (tmp_path / "bench.json").write_text("[" * 200_000)
    with pytest.raises(ModelError, match="is not valid JSON"):
        Report.read(tmp_path / "bench.json")
