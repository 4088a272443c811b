"""The README's Python blocks run; its blocks marked `sh run` are run by .ci/run with the wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.splitlines()[-1][:40])
def test_the_python_blocks_run(code, tmp_path):
    (tmp_path / "net").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_row_of_ones_own_is_timed(tmp_path):
    (code,) = re.findall(r"^```py\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "rows.py").write_text(code)
    shutil.copytree(ROOT / "artifacts" / "reference" / "penguins", tmp_path / "penguins")
    words = re.search(r"# linreg (bench .*)", code)[1].split()
    words += ["--processes", "1", "--rounds", "10", "--batch", "1", "--device", "cpu", "--json"]
    done = subprocess.run([sys.executable, "-m", "linreg", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = (row for row in json.loads(done.stdout)["comparisons"][0]["rows"] if row["name"] == "mine")
    assert (row["problem"], row["bytes_equal"]) == ("", True)


def test_there_are_such_blocks():
    assert len(BLOCKS) == 3
    assert len(re.findall(r"^```sh run$", README, re.MULTILINE)) == 2


def test_every_file_and_test_that_it_names_is_there():
    named = re.findall(r"\]\((?!http)([^)#]+)\)|`(tests/[a-z_/]+\.py)`", README)
    paths = {first or second for first, second in named}
    assert len(paths) >= 8
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
