"""bench.json is read as it was written, and what is no report of this version is refused."""

import json
import math
import re

import pytest

from bench.job import Device
from bench.report import read_report, write_report
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
