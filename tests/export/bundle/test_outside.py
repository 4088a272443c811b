"""Downloaded bundles whose links point outside: nothing outside is written or removed."""

import pytest

from tests.conftest import PENGUINS
from tests.linreg.test_manifest import relist


@pytest.fixture
def victim(bundle, tmp_path):
    """A file of the user's, that a downloaded bundle points at."""
    path = tmp_path / "precious"
    path.write_text("mine")
    return path


@pytest.mark.parametrize("name", ["SHA256SUMS", "model.onnx", "data.json", "test_data_set_0/input_0.pb", "model.c"])
@pytest.mark.parametrize("force", [False, True])
def test_export_writes_nothing_outside(linreg, bundle, victim, name, force):
    (bundle / name).unlink(missing_ok=True)
    (bundle / name).symlink_to(victim)
    words = ["export", "-m", bundle, "-f", "onnx", "-f", "c", *(["--force"] if force else [])]
    assert "symbolic link" in linreg(*words).failure()
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["SHA256SUMS", "model.onnx", "model.pth", "test_data_set_0"])
@pytest.mark.parametrize("force", [False, True])
def test_train_removes_nothing_outside(linreg, bundle, victim, tmp_path, name, force):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "input_0.pb").write_bytes((bundle / "test_data_set_0" / "input_0.pb").read_bytes())
    before = (outside / "input_0.pb").read_bytes()
    if name == "test_data_set_0":
        for path in (bundle / name).iterdir():
            path.unlink()
        (bundle / name).rmdir()
        (bundle / name).symlink_to(outside)
    else:
        (bundle / name).unlink()
        (bundle / name).symlink_to(victim)
    linreg("train", "--epochs", "5", "-o", bundle, *(["--force"] if force else []))
    assert victim.read_text() == "mine"
    assert (outside / "input_0.pb").read_bytes() == before


def test_train_asks_for_force_whenever_something_listed_would_go(linreg, bundle):
    """Vectors alone, without a proof, count too."""
    relist(bundle, lambda value: [entry.update(proof={}) for entry in value["files"]])
    before = sorted(path.name for path in bundle.iterdir())
    assert "use --force to train again and remove them" in linreg("train", "--epochs", "5", "-o", bundle).failure()
    assert sorted(path.name for path in bundle.iterdir()) == before


@pytest.mark.parametrize("name", ["predictions.png", "residuals.png"])
def test_plot_and_bench_write_through_no_dangling_link(linreg, bundle, tmp_path, name):
    (bundle / name).symlink_to(tmp_path / "planted")
    assert "is a symbolic link" in linreg("plot", PENGUINS, "-m", bundle, "--force").failure()
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("name", ["bench.json", "report.html"])
def test_bench_writes_through_no_dangling_link(linreg, bundle, tmp_path, name, measured, report):
    measured(report)
    (bundle / name).symlink_to(tmp_path / "planted")
    linreg("bench", "-m", bundle, "--force")
    assert not (tmp_path / "planted").exists()
