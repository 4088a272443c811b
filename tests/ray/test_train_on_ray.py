"""`linreg train --engine ray`: the same bytes for any number of workers, also if some are killed."""

import signal
import subprocess

import pytest

from tests.ray.processes import killing, wait_for_driver, wait_until_gone
from tests.ray.tables import command, contents, linreg, write_folder

pytestmark = pytest.mark.ray
TRAIN = ("train", "table", "--target", "y", "--features", "x0,x1,x2")
NOTE = "note: 1 of 3146962 rows have no value in a used column and are left out\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table, and the bundle of a fit in threads."""
    folder = tmp_path_factory.mktemp("train")
    write_folder(folder / "table")
    linreg(folder, *TRAIN, "--workers", 2, "-o", "threads")
    return folder


@pytest.mark.parametrize("workers", [1, 3, 4])
def test_the_bundle_is_that_of_threads(folder, workers):
    done = linreg(folder, *TRAIN, "--engine", "ray", "--workers", workers, "-o", f"ray{workers}")
    assert contents(folder / f"ray{workers}") == contents(folder / "threads")
    assert done.stderr.endswith(NOTE)
    assert "ray" not in done.stderr.lower(), "Ray prints nothing here"


def test_killed_workers_change_no_byte(folder):
    words = command(*TRAIN, "--engine", "ray", "--workers", 2, "-o", "killed")
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        driver = wait_for_driver(program.pid)
        with killing(driver) as killed:
            _, errors = program.communicate(timeout=200)
    assert program.returncode == 0, errors
    assert len(killed) == 3
    assert contents(folder / "killed") == contents(folder / "threads")
    assert errors.decode().endswith(NOTE)
    wait_until_gone(driver)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(folder, number):
    words = command(*TRAIN, "--engine", "ray", "--workers", 1, "-o", "ended")
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        driver = wait_for_driver(program.pid)
        program.send_signal(number)
        _, errors = program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert errors.decode().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in errors.decode()
    assert not (folder / "ended").exists()
    wait_until_gone(driver)


def test_a_bad_value_is_the_error_of_threads(folder):
    import pyarrow as pa
    import pyarrow.parquet

    (folder / "bad").mkdir()
    pyarrow.parquet.write_table(
        pa.table({"x": [1.0, float("inf"), 3.0], "y": [1.0, 2.0, 4.0]}), folder / "bad/0.parquet"
    )
    words = ("train", "bad", "--target", "y", "-o", "bad_bundle")
    here = linreg(folder, *words, code=1)
    there = linreg(folder, *words, "--engine", "ray", "--workers", 1, code=1)
    assert there.stderr == here.stderr
    assert there.stderr.splitlines()[-1].startswith("error: bad/0.parquet: ")


def test_fit_in_python_and_what_follows_without_ray(folder, monkeypatch):
    import linreg as door

    monkeypatch.chdir(folder)
    fitted = door.fit("table", target="y", features=["x0", "x1", "x2"], engine="ray", workers=2)
    assert fitted.card == door.load("threads").card
    assert len(fitted.parts) == 2, "the rows are read here, after Ray has stopped"
