"""The tables of export, verify and evaluate, on a terminal of 80 columns where it matters."""

import json

import pytest

from tests.cli.test_tables import on_a_terminal, plain
from tests.conftest import PENGUINS

NETS = """
import torch

def make_net():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Mish())
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return ["--module", "nets.py:make_net", "--input", "x=float32[batch,4]"]


def test_a_refused_export_gives_its_reason_once_and_no_table(linreg, net):
    ended = linreg("export", *net, "-f", "c", "-o", "b")
    assert ended.code == 1
    assert ended.out == ""
    reason = ended.failure().removeprefix("error: ")
    assert reason.startswith("c: ") and ended.err.count(reason) == 1


def test_what_is_refused_beside_a_written_file_is_a_row_and_gives_its_reason_once(linreg, net):
    ended = linreg("export", *net, "-f", "c", "-f", "torchscript", "-o", "b")
    assert ended.code == 1
    assert "exported and verified" in ended.out and "refused" in ended.out
    assert ended.err.count("c: ") == 1


def test_every_file_of_a_full_bundle_is_one_row_of_verify_at_80_columns(tmp_path, linreg, bundle):
    assert linreg("export", "-m", bundle, "-f", "all", "-f", "c").code == 0
    code = "import sys; sys.argv = ['linreg', 'verify', 'penguins']; from linreg.cli.main import main; main()"
    shown = plain(on_a_terminal(f"import os; os.chdir({str(tmp_path)!r}); " + code))
    rows = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    checked = json.loads(linreg("verify", bundle, "--json").out)["checked"]
    assert len(checked) >= 9
    assert [row[:2] for row in rows] == [[entry["file"], entry["against"]] for entry in checked]
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    assert "bit-equal" in shown and "format" not in shown.splitlines()[1]


def test_evaluate_rounds_as_train_does(linreg):
    trained = linreg("train", PENGUINS, "--target", "body_mass_g", "-o", "b").out
    shown = linreg("evaluate", PENGUINS, "-m", "b").out
    assert len(shown.splitlines()) == 3
    assert shown in trained


def test_export_of_a_module_prints_the_command_that_times_it(linreg, net):
    ended = linreg("export", *net, "-f", "torchscript", "-o", "b")
    assert ended.code == 0, ended.err
    command = "linreg bench -m b --module nets.py:make_net"
    assert f"next:  linreg verify b\n       {command}\n" in ended.out
