"""A report names the model that was timed, never the folder that it is in."""

from pathlib import Path

import pytest

import linreg
from bench.plan.request import Request, model_name
from bench.report.report import Report
from tests.bench_reports import parsed, report
from tests.report_pages import page_of, text_of


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": Path("secret/penguins")}, "penguins"),
        ({"model": Path("secret/penguins/model.pth")}, "penguins"),
        ({"model": Path("secret/weights.pth")}, "weights.pth"),
        ({"model": Path("secret/penguins/../other")}, "other"),
        ({"module": "/secret/nets.py:make_net"}, "nets.py:make_net"),
        ({"module": "package.module:make_net"}, "package.module:make_net"),
        ({"module": "/secret/nets.py:make_net", "model": Path("secret/net")}, "net"),
        ({"model": Path("temporary/model"), "name": "fitted model"}, "fitted model"),
    ],
)
def test_a_name_has_no_folder(settings, expected):
    assert model_name(Request(**settings)) == expected


def test_the_folder_in_which_a_command_runs_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "penguins").mkdir()
    (tmp_path / "current").symlink_to("penguins")
    monkeypatch.chdir(tmp_path / "penguins")
    assert model_name(Request(model=Path())) == "penguins"
    assert model_name(Request(model=Path("../current"))) == "current"


def test_a_benchmark_reports_the_name_of_its_model(tmp_path):
    settings = {"batches": "1", "processes": 1, "rounds": 10, "device": "cpu"}
    line = linreg.straight_line(weight=0.7, bias=0.3)
    model = linreg.fit(line)
    model.save(tmp_path / "line")
    assert linreg.bench(str(tmp_path / "line"), **settings).model == "line"
    assert linreg.bench(model, **settings).model == "fitted model"


def test_the_page_has_the_name_in_its_title_and_heading():
    page = page_of(report(model="penguins"))
    assert text_of(page.root.find(".//h1")) == "penguins: latency of each variant"
    assert text_of(page.root.find(".//title")) == "linreg bench: penguins, 10 processes"
    assert "ab" * 6 not in text_of(page.root.find(".//header"))


def test_a_report_without_a_name_can_still_be_read():
    values = report()
    del values["model"]
    read = parsed(values)
    assert read.model == ""
    assert Report.from_json(read.to_json()) == read
    assert text_of(page_of(values).root.find(".//h1")) == "Latency of each variant"
