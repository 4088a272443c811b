"""ONNX Runtime neither sends anything nor leaves a device ID in the home folder, unless the user wants that."""

import os
import subprocess
import sys

import pytest

VERIFY = "import sys; sys.argv = ['linreg', 'verify', '{model}']; from _linreg import main; main()"
PYTHON = "import linreg; linreg.verify('{model}')"
DOCTOR = "import sys; sys.argv = ['linreg', 'doctor']; from _linreg import main; main()"


def files_at_home(code: str, folder, **chosen: str) -> list[str]:
    """The files that a Python leaves in an empty home folder; ONNX Runtime is quiet by itself where CI is set."""
    home = folder / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith(("ORT_", "XDG_"))}
    environment = {**kept, "HOME": str(home), "XDG_STATE_HOME": str(folder / "state"), **chosen}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("code", [VERIFY, PYTHON, DOCTOR], ids=["verify", "python", "doctor"])
def test_no_telemetry(penguins, tmp_path, code):
    assert files_at_home(code.format(model=penguins / "model.onnx"), tmp_path) == []


def test_the_user_may_turn_it_on(penguins, tmp_path):
    code = VERIFY.format(model=penguins / "model.onnx")
    assert any("deviceid" in name for name in files_at_home(code, tmp_path, ORT_DISABLE_TELEMETRY="0"))
