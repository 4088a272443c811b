"""--static with and without names of axes."""

import json
from pathlib import Path

import pytest

NET = """
from torch import nn

def make_net():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU())
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    return ["export", "--module", "nets.py:make_net", "--input", "x=float32[batch,seq:2..8,4]", "-f", "torchscript"]


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (["--static", "-o", "net"], [1, 2, 4]),
        (["-o", "net", "--static"], [1, 2, 4]),
        (["--static", "seq", "-o", "net"], ["batch", 2, 4]),
        (["--static=seq=8", "-o", "net"], ["batch", 8, 4]),
        (["-o", "net", "--static", "seq=8,batch=3"], [3, 8, 4]),
    ],
)
def test_static_takes_names_of_axes_or_nothing(linreg, net, words, shape):
    assert linreg(*net, *words).code == 0
    (entry,) = json.loads(linreg("inspect", "net/model.torchscript", "--json").out)["metadata"]["inputs"]
    assert entry["shape"] == shape


def test_the_next_command_has_the_sizes_that_were_fixed(linreg, net):
    out = linreg(*net, "-o", "net", "--static", "seq=8").out
    assert "linreg bench -m net --module nets.py:make_net" in out
    card = json.loads(Path("net/card.json").read_text())
    assert [entry["shape"] for entry in card["inputs"]] == [["batch", 8, 4]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("steps", "--static: no input has an axis called 'steps'; expected batch or seq"),
        ("seq=9", "--static: got 9 for axis seq:2..8, expected a size of its range"),
    ],
)
def test_an_axis_that_is_not_there_is_refused_by_name(linreg, net, value, message):
    assert message in linreg(*net, "-o", "net", "--static", value).failure()
