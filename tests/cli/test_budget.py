"""`linreg export --budget`: what the table, the manifest and --json say was not tried."""

import json

import pytest

NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh())

def affine():
    return nn.Linear(4, 3)
"""
WORDS = ("--input", "x=float32[batch,4]", "-f", "torchscript", "-o", "b")


@pytest.fixture(autouse=True)
def net(tmp_path):
    name = f"net_{tmp_path.name}.py"
    (tmp_path / name).write_text(NET)
    return name


def test_what_was_not_tried_is_said_everywhere(linreg, net, tmp_path):
    ended = linreg("export", "--module", f"{net}:make", *WORDS, "--budget", "0s")
    assert ended.code == 0
    assert "model.torchscript: not tried: batch 1, scale 0.001 (about " in ended.err
    assert "batch 4096 (about " in ended.err
    entries = json.loads((tmp_path / "b" / "manifest.json").read_text())["files"]
    (listed,) = (entry["proof"]["not_tried"] for entry in entries if entry["name"] == "model.torchscript")
    assert listed[-1].startswith("batch 4096 (about ")
    again = linreg("export", "--module", f"{net}:make", *WORDS, "--budget", "0s", "--json")
    (artifact,) = json.loads(again.out)["artifacts"]
    assert artifact["not_tried"][-1].startswith("batch 4096 (about ")
    assert linreg("verify", "b").code == 0


def test_all_leaves_nothing_out(linreg, net):
    ended = linreg("export", "--module", f"{net}:make", *WORDS, "--budget", "all", "--json")
    (artifact,) = json.loads(ended.out)["artifacts"]
    assert (artifact["not_tried"], artifact["cases"]) == ([], 20)
    assert "not tried" not in ended.err


def test_a_bad_budget_is_wrong_usage(linreg, net):
    ended = linreg("export", "--module", f"{net}:make", *WORDS, "--budget", "soon")
    assert ended.code == 2
    assert "got 'soon', expected a duration such as 60s or 2m, or all" in ended.err


def test_a_budget_for_an_affine_module_is_refused(linreg, net, tmp_path):
    message = linreg("export", "--module", f"{net}:affine", *WORDS, "--budget", "60s").failure()
    assert "budget: has no effect on an affine module, whose proof is always complete; leave it out" in message
    assert not (tmp_path / "b").exists()
