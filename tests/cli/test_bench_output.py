"""`linreg bench`: what is written and shown, where it goes, and which files are left alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.plan.variants import REFERENCE
from tests.bench_command import CPU, QUICK, WRITTEN
from tests.bench_reports import HOSTILE
from tests.conftest import TESTS, contents

pytestmark = pytest.mark.usefixtures("frozen", "threads")


def test_the_files_that_are_written(two_processes, report):
    ended, folder = two_processes
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in folder.iterdir()} == {"out", "plots"}
    assert {path.name for path in (folder / "out").iterdir()} == WRITTEN
    kinds = {path.suffix for path in (folder / "plots").iterdir()}
    assert kinds == {".svg", ".png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (folder / "plots").glob("*.png"))
    for path in (*(folder / "out").iterdir(), *(folder / "plots").iterdir()):
        assert f"saved: {path.relative_to(folder)}" in ended.stdout
    assert report["scope"] == "2 processes"
    assert report["settings"]["processes_run"] == 2
    assert report["command"][:3] == ["linreg", "bench", "-m"]


def test_the_table_and_where_it_comes_from(two_processes):
    out = two_processes[0].stdout
    assert f"batch 1, 1 thread, CPU, 2 processes; ratios to {REFERENCE}" in out
    assert "from the start of a fresh process" in out
    for name in CPU:
        assert f"│ {name} " in out


def test_the_report_goes_into_the_bundle_and_is_replaced(linreg, bundle):
    before = contents(bundle)
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert ended.code == 0, ended.err
    after = contents(bundle)
    assert set(after) - set(before) == WRITTEN
    assert {name: after[name] for name in before} == before
    assert "this process only" in ended.out
    assert linreg("bench", "-m", bundle, *QUICK).code == 0
    again = contents(bundle)
    assert again["bench.json"] != after["bench.json"]
    assert linreg("verify", bundle).code == 0


def test_json_is_one_object_and_the_same_as_the_file(linreg, bundle):
    ended = linreg("bench", "-m", bundle, *QUICK, "--threads", "1,2", "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert report == json.loads((bundle / "bench.json").read_text())
    assert f"saved: {bundle / 'bench.json'}" in ended.err
    assert report["settings"]["threads"] == [1, 2]
    cpu = [entry for entry in report["comparisons"] if entry["device"] == "cpu"]
    assert [(entry["threads"], len(entry["rows"])) for entry in cpu] == [(1, len(CPU)), (2, len(CPU))]


def test_markdown_is_tables_alone(linreg, bundle, measured, report):
    measured(report)
    ended = linreg("bench", "-m", bundle, "--markdown")
    assert ended.code == 0
    answer, empty, rest = ended.out.split("\n", maxsplit=2)
    assert answer.startswith("- batch 1: ")
    assert empty == ""
    assert rest.startswith(f"**batch 1, 1 thread, CPU, 2 processes; ratios to {REFERENCE}**\n\n| variant |")
    table = [line for line in ended.out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(CPU) + 2 + 2
    assert "saved" not in ended.out
    assert f"saved: {bundle / 'report.html'}" in ended.err


def test_the_report_that_is_compared_with_stays(linreg, bundle, report, measured):
    measured(report)
    (bundle / "bench.json").write_text(json.dumps(report))
    before = contents(bundle)
    ended = linreg("bench", "-m", bundle, "--compare", bundle / "bench.json")
    assert ended.code == 0
    assert "is the report to compare with, so it is not overwritten; use -o to write the new one" in ended.err
    assert contents(bundle) == before
    linked = bundle / "link.json"
    linked.symlink_to("bench.json")
    assert linreg("bench", "-m", bundle, "--compare", linked, "--force").code == 0
    assert (bundle / "bench.json").read_bytes() == before["bench.json"]


@pytest.mark.parametrize("text", ['{"mine": 1}', "[1]", "text", ""])
def test_a_file_that_is_not_ours_is_not_overwritten(linreg, bundle, measured, report, text):
    asked = measured(report)
    (bundle / "bench.json").write_text(text)
    message = linreg("bench", "-m", bundle).failure()
    assert "bench.json: already exists, and was not written by linreg; move it away, or use --force" in message
    assert (bundle / "bench.json").read_text() == text
    assert asked == [], "seen before the work"
    assert linreg("bench", "-m", bundle, "--force").code == 0
    assert json.loads((bundle / "bench.json").read_text()) == report


def test_a_folder_in_the_place_of_the_report_is_one_line(linreg, bundle, measured, report):
    measured(report)
    (bundle / "bench.json").mkdir()
    assert "bench.json: is not a regular file" in linreg("bench", "-m", bundle).failure()
    ended = linreg("bench", "-m", bundle, "--force", "--json")
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(f"error: {bundle / 'bench.json'}: ")


def test_plots_go_where_they_are_asked_and_nowhere_else(linreg, bundle, measured, report, tmp_path):
    measured(report)
    (tmp_path / "file").write_text("mine")
    assert "file: is a file, expected a folder" in linreg("bench", "-m", bundle, "--plots", "file").failure()
    assert linreg("bench", "-m", bundle, "--plots", "deep/er").code == 0
    assert {path.suffix for path in Path("deep/er").iterdir()} == {".svg", ".png"}
    assert not list(bundle.glob("*.svg"))


def test_hostile_names_do_no_harm(linreg, tmp_path):
    names = [name for name in HOSTILE if name and "\n" not in name][:6]
    lines = [",".join('"' + name.replace('"', '""') + '"' for name in names)]
    values = np.random.default_rng(1).standard_normal((30, len(names)))
    lines += [",".join(f"{value:.3f}" for value in row) for row in values]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    folder = "b <script>alert(1)</script>"[:12] + "\x1b[31m"
    trained = linreg("train", "table.csv", "--target", names[0], "-o", folder)
    assert trained.code == 0, trained.err
    for more in ([], ["--markdown"], ["--json"]):
        ended = linreg("bench", "-m", folder, *QUICK, *more)
        assert ended.code == 0, ended.err
        assert "\x1b" not in ended.out + ended.err
    page = (tmp_path / folder / "report.html").read_text()
    assert "\x1b" not in page
    assert "b <script" not in page
    assert json.loads((tmp_path / folder / "bench.json").read_text())["command"][3] == folder


def test_a_page_or_figure_of_somebody_else_is_not_overwritten(linreg, bundle, tmp_path):
    plots = ["-o", "free", "--plots", "own"]
    for name, words in {
        "report.html": ["-o", "own"],
        "ratios-cpu-1thread-batch1.svg": plots,
        "latency-cpu-1thread.png": plots,
        "lifecycle.png": plots,
    }.items():
        shutil.rmtree(tmp_path / "own", ignore_errors=True)
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / name).write_text("mine")
        assert (
            f"{name}: already exists, and was not written by linreg" in linreg("bench", "-m", bundle, *words).failure()
        )
        assert (tmp_path / "own" / name).read_text() == "mine"


def test_other_pictures_may_stand_beside_the_plots(linreg, bundle, tmp_path, measured, report):
    measured(report)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "logo.png").write_text("mine")
    (tmp_path / "docs" / "ratios-2019.png").write_text("mine")
    for _ in range(2):  # its own plots are drawn over
        assert linreg("bench", "-m", bundle, "-o", "free", "--plots", "docs").code == 0
    assert (tmp_path / "docs" / "logo.png").read_text() == (tmp_path / "docs" / "ratios-2019.png").read_text() == "mine"
    assert len(list((tmp_path / "docs").iterdir())) > 4


def test_a_file_in_the_place_of_the_plots_is_named_with_its_option(linreg, bundle, tmp_path):
    (tmp_path / "pictures").write_text("mine")
    message = linreg("bench", "-m", bundle, "--plots", "pictures").failure()
    assert "pictures: is a file, expected a folder; choose another with --plots" in message


def test_pictures_of_somebody_else_are_safe_from_a_module_as_well(linreg, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "lifecycle.svg").write_text("mine")
    words = [
        "--module",
        f"{TESTS / 'nets.py'}:make_mlp",
        "--input",
        "x=float32[batch,16]",
        *QUICK,
        "--plots",
        "own",
    ]
    assert "lifecycle.svg: already exists, and was not written by linreg" in linreg("bench", *words).failure()


def test_a_report_names_no_folder_of_the_command(linreg, bundle, tmp_path):
    ended = linreg("bench", "-m", bundle, *QUICK, "-o", "own", f"--plots={tmp_path / 'plots'}")
    assert ended.code == 0, ended.err
    for name in ("bench.json", "report.html"):
        assert str(tmp_path) not in (tmp_path / "own" / name).read_text()
