"""`linreg predict --engine ray`: parts with the bytes of one process, and nothing else."""

import json
import signal
import subprocess

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.conftest import forge
from tests.ray.processes import killing, wait_for_driver, wait_until_gone
from tests.ray.tables import command, contents, linreg, write_folder

pytestmark = pytest.mark.ray
ON_RAY = ("--engine", "ray", "--workers", 2)
NETS = """
from torch import manual_seed, nn

def net():
    manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table, a bundle with an .onnx, and the parts that one process writes."""
    folder = tmp_path_factory.mktemp("predict")
    write_folder(folder / "table")
    linreg(folder, "train", "table", "--target", "y", "--features", "x0,x1,x2", "-o", "model")
    linreg(folder, "export", "-m", "model", "-f", "onnx")
    linreg(folder, "predict", "table", "-m", "model/model.onnx", "--columns", "id", "-o", "one/")
    return folder


def predict(*words):
    return ("predict", "table", "-m", "model/model.onnx", "--columns", "id", *words, *ON_RAY)


def test_the_parts_are_those_of_one_process(folder):
    done = linreg(folder, *predict("-o", "two/"))
    assert contents(folder / "two") == contents(folder / "one")
    assert len(contents(folder / "two")) == 5
    assert done.stdout == ""
    assert done.stderr == (
        "note: 1 of 3146962 rows have no value in a used column and get no prediction\n"
        "3146961 predictions in 4 parts: two/\n"
    )
    assert linreg(folder, *predict("-o", "two/")).stderr.endswith("two/ (already up to date)\n")


def test_a_small_table_is_one_part(folder, tmp_path):
    names = ["x0", "x1", "x2"]
    pyarrow.parquet.write_table(pa.table({name: [0.5, 1.5, 2.5] for name in names}), tmp_path / "small.parquet")
    words = ("predict", tmp_path / "small.parquet", "-m", "model/model.onnx", "-o")
    linreg(folder, *words, "small-one/")
    linreg(folder, *words, "small-ray/", *ON_RAY)
    assert contents(folder / "small-ray") == contents(folder / "small-one")
    assert len(contents(folder / "small-ray")) == 2


def test_other_predictions_are_not_replaced_without_force(folder):
    linreg(folder, "predict", "table", "-m", "model", "-o", "other/")
    before = contents(folder / "other")
    done = linreg(folder, *predict("-o", "other/"), code=1)
    assert done.stderr.splitlines()[-1].startswith("error: other: already holds other predictions; use --force")
    assert contents(folder / "other") == before
    linreg(folder, *predict("-o", "other/", "--force"))
    assert contents(folder / "other") == contents(folder / "one")


def test_killed_workers_change_no_byte_and_leave_no_file(folder):
    words = command(*predict("-o", "killed/"))
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        driver = wait_for_driver(program.pid)
        with killing(driver) as killed:
            _, errors = program.communicate(timeout=200)
    assert program.returncode == 0, errors
    assert len(killed) == 3
    assert contents(folder / "killed") == contents(folder / "one")
    wait_until_gone(driver)


def test_a_signal_leaves_no_file(folder):
    words = command(*predict("-o", "ended/"))
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        driver = wait_for_driver(program.pid)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert program.returncode == 130
    assert errors.decode().splitlines()[-1].startswith("error: interrupted")
    wait_until_gone(driver)
    assert not (folder / "ended").exists() or contents(folder / "ended") == {}


def test_a_killed_command_leaves_what_the_next_one_removes(folder):
    words = command(*predict("-o", "crashed/"))
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        driver = wait_for_driver(program.pid)
        program.kill()
        program.communicate(timeout=30)
    wait_until_gone(driver)
    linreg(folder, *predict("-o", "crashed/"))
    assert contents(folder / "crashed") == contents(folder / "one")


def test_a_worker_checks_the_vectors_before_its_first_block(folder, tmp_path):
    linreg(folder, "train", "table", "--target", "y", "--features", "x0,x1,x2", "-o", tmp_path / "forged")
    linreg(folder, "export", "-m", tmp_path / "forged", "-f", "onnx")
    linreg(folder, "train", "table", "--target", "id", "--features", "x0,x1,x2", "-o", tmp_path / "wrong")
    linreg(folder, "export", "-m", tmp_path / "wrong", "-f", "onnx")
    forge(tmp_path / "forged", model_onnx=(tmp_path / "wrong" / "model.onnx").read_bytes())
    words = ("predict", "table", "-m", tmp_path / "forged" / "model.onnx", "-o", "forged/")
    done = linreg(folder, *words, *ON_RAY, code=3)
    assert "model.onnx: test_data_set_0" in done.stderr
    assert not (folder / "forged").exists()


def test_a_module_predicts_from_columns(folder, tmp_path):
    (folder / "nets.py").write_text(NETS)
    linreg(folder, "export", "--module", "nets.py:net", "--input", "x=float32[batch,3]", "-o", "net", "-f", "onnx")
    words = ("predict", "table", "-m", "net", "--features", "x0,x1,x2", "--columns", "id")
    linreg(folder, *words, "-o", "net_one/")
    linreg(folder, *words, "-o", "net_two/", *ON_RAY)
    assert contents(folder / "net_two") == contents(folder / "net_one")
    listed = json.loads((folder / "net_two" / "_manifest.json").read_text())
    assert (listed["rows"], len(listed["files"])) == (3146962, 4)
