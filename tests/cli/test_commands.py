"""Commands as a user meets them: what they write, what they say, and what they leave alone."""

import csv
import io
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from tests.conftest import PENGUINS

MODEL_AND_RECORDS = ["SHA256SUMS", "card.json", "manifest.json", "model.pth"]
ONNX_AND_VECTORS = ["model.onnx", "data.json", *(f"test_data_set_{place}" for place in range(5))]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def nobody():
    """A context in which this process is nobody; root may write anywhere."""

    @contextmanager
    def being():
        root = os.geteuid() == 0
        if root:
            os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            if root:
                os.setresuid(0, 0, 0)

    return being


@pytest.fixture(autouse=True)
def threads():
    """`bench` gives torch one thread; the tests after it have the old number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("command", ["train", "export", "plot"])
def test_an_output_that_is_a_file_is_left_alone(linreg, bundle, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    words = {"train": [], "export": ["-m", bundle], "plot": [PENGUINS, "-m", bundle]}[command]
    assert (
        "file: is a file, expected a folder; choose another with -o" in linreg(command, *words, "-o", "file").failure()
    )
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "export", "predict", "plot", "bench"])
def test_a_folder_that_cannot_be_written_is_one_line(linreg, bundle, command, nobody):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(shutil.copytree(bundle, Path(name) / "read-only"))
        words = {
            "train": ["--force", "--epochs", "5", "-o", folder],
            "export": ["-m", folder],
            "predict": [PENGUINS, "--force", "-m", folder, "-o", folder / "out.csv"],
            "plot": [PENGUINS, "-m", folder],
            "bench": ["--processes", "1", "--rounds", "10", "--batch", "1", "-m", folder],
        }[command]
        assert linreg(command, *words).code == 0  # everything is imported: nobody may not be allowed to
        before = contents(folder)
        Path(name).chmod(0o755)
        folder.chmod(0o555)
        with nobody():
            ended = linreg(command, *words)
        folder.chmod(0o755)
        assert "cannot be written" in ended.failure()
        assert contents(folder) == before


def test_evaluate_finds_the_parts_of_training_again(linreg, penguins, table):
    metrics = json.loads((penguins / "card.json").read_text())["metrics"]
    assert json.loads(linreg("evaluate", PENGUINS, "-m", penguins, "--json").out)["metrics"] == metrics
    other = table("bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g", "39.1,18.7,181,3750")
    ended = linreg("evaluate", other, "-m", penguins, "--json")
    assert json.loads(ended.out)["metrics"]["rows"]["r2"] is None
    assert "name it: linreg evaluate TABLE -m" in linreg("evaluate", "-m", penguins).failure()


def test_evaluate_and_plot_refuse_values_beyond_float32(linreg, penguins, table, tmp_path):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g", "39.1,18.7,1e39,3750", "1,2,3,4")
    assert "exceed what the model's dtype holds" in linreg("evaluate", path, "-m", penguins, "--json").failure()
    assert "exceed what the model's dtype holds" in linreg("plot", path, "-m", penguins, "-o", "pictures").failure()
    assert not (tmp_path / "pictures").exists()


def test_plot_draws_into_another_folder_and_overwrites_only_its_own(linreg, penguins, tmp_path):
    words = ["plot", PENGUINS, "-m", penguins, "-o", "pictures"]
    for _ in range(2):
        ended = linreg(*words)
        assert ended.out == "plot: pictures/predictions.png\nplot: pictures/residuals.png\n"
    mine = tmp_path / "pictures" / "residuals.png"
    mine.write_bytes(b"\x89PNG mine")
    before = contents(tmp_path / "pictures")
    assert "residuals.png: already exists, and was not drawn by linreg; use --force" in linreg(*words).failure()
    assert contents(tmp_path / "pictures") == before
    assert linreg(*words, "--force").code == 0


def test_plot_draws_the_loss_curves_of_a_history(linreg):
    linreg("train", "--epochs", "30", "--split", "0.7/0.15/0.15", "-o", "line")
    assert linreg("plot", "-m", "line").out.splitlines()[0] == "plot: line/loss_curves.png"


def test_bench_leaves_a_report_that_is_not_its_own(linreg, bundle):
    (bundle / "bench.json").write_text('{"mine": 1}')
    assert "bench.json: already exists, and was not written by linreg" in linreg("bench", "-m", bundle).failure()
    assert (bundle / "bench.json").read_text() == '{"mine": 1}'


def test_the_default_model_is_trained_where_it_is_missing(linreg, table):
    ended = linreg("export")
    assert ended.code == 0
    assert ended.err.startswith("no model given and artifacts/linreg is missing: training the line")
    ended = linreg("predict", table("x", "0.5"))
    assert float(rows_of(ended.out)[0]["predicted_y"]) == pytest.approx(0.65, abs=0.01)
    assert ended.err == "no model was given: using artifacts/linreg; choose another with -m BUNDLE\n"
    assert linreg("evaluate").err == ""


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["train", "--epochs", "5", "-o", "b"], {"bundle", "architecture", "features", "state_sha256", "metrics"}),
        (["export", "-m", "BUNDLE"], {"state_sha256", "artifacts", "refused"}),
        (["inspect", "BUNDLE/model.onnx"], {"kind", "inputs", "operators", "metadata"}),
        (["verify", "BUNDLE"], {"bundle", "checked", "not_run"}),
        (["evaluate", str(PENGUINS), "-m", "BUNDLE"], {"model", "metrics"}),
        (
            ["bench", "-m", "BUNDLE", "--processes", "1", "--rounds", "10", "--batch", "1"],
            {"schema_version", "comparisons"},
        ),
        (["doctor"], {"linreg", "torch", "onnxruntime", "onnxruntime_providers", "cuda_devices"}),
    ],
)
def test_json_is_one_object_and_nothing_else(linreg, bundle, words, keys):
    ended = linreg(*(word.replace("BUNDLE", str(bundle)) for word in words), "--json")
    assert ended.code == 0, ended.err
    assert keys <= json.loads(ended.out).keys()


def test_doctor_is_a_table(linreg):
    ended = linreg("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert "CPUExecutionProvider" in ended.out
