"""`linreg predict` replaces no file of the table that it reads, however the table is named."""

import subprocess
import sys

import pytest

HEADER = "bill_length_mm,bill_depth_mm,flipper_length_mm"
ROWS = HEADER + "\n39.1,18.7,181\n"


@pytest.fixture
def given(tmp_path):
    """A folder with two files of a table."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(ROWS)
    return folder


@pytest.mark.parametrize("name", ["in/*.csv", "file://{}/a.csv", "file://{}", "file://{}/*.csv"])
def test_a_file_of_a_pattern_or_uri_is_never_overwritten(linreg, penguins, given, name):
    message = linreg("predict", name.format(given), "-m", penguins, "-o", "in/a.csv", "--force").failure()
    assert f"in/a.csv: is a file of the table {name.format(given)}, which is never overwritten" in message
    assert (given / "a.csv").read_text() == ROWS


@pytest.mark.parametrize("name", ["out/part-00000.parquet", "out/*.parquet"])
def test_a_part_that_is_read_is_never_replaced(linreg, penguins, given, tmp_path, name):
    assert linreg("predict", given, "-m", penguins, "-o", "out/").code == 0
    before = (tmp_path / "out/part-00000.parquet").read_bytes()
    words = ("predict", name, "-m", penguins, "--columns", "none", "-o", "out/", "--force")
    assert f"part-00000.parquet: is a file of the table {name}, which is never overwritten" in linreg(*words).failure()
    assert (tmp_path / "out/part-00000.parquet").read_bytes() == before


@pytest.mark.parametrize(("name", "output"), [("in/*.csv", "in/new.csv"), ("in/*", "in/"), ("in/?.csv", "./in/c.csv")])
def test_what_would_become_a_part_of_the_table_is_not_written(linreg, penguins, given, name, output):
    message = linreg("predict", name, "-m", penguins, "-o", output, "--force").failure()
    assert f"matches {name}, and would become a part of the table" in message
    assert sorted(path.name for path in given.iterdir()) == ["a.csv", "b.csv"]


def test_a_pattern_does_not_keep_other_files_from_its_folder(linreg, penguins, given):
    assert linreg("predict", "in/*.csv", "-m", penguins, "-o", "in/new.csv.gz").code == 0
    assert linreg("predict", "in/*.csv", "-m", penguins, "-o", "in/deeper/new.csv").code == 0


def test_a_file_on_stdin_is_never_overwritten(penguins, given):
    command = [sys.executable, "-m", "linreg", "predict", "-", "-m", penguins, "-o", "a.csv", "--force"]
    with (given / "a.csv").open("rb") as stdin:
        ended = subprocess.run(command, cwd=given, stdin=stdin, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: a.csv: is a file of the table -, which is never overwritten")
    assert (given / "a.csv").read_text() == ROWS
