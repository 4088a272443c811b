import sys

import pytest
import torch
from torch import nn

from export.source.user_module import load_module, parse_input
from linreg.errors import ExportError, ModelError
from linreg.state_dict import state_bytes

CODE = """
import torch
from torch import nn
from helper import SIZE

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(SIZE, 1)
    def forward(self, x):
        return self.layer(x)

def make_net():
    return Net()

ready = Net()
number = 3

def broken():
    raise RuntimeError("no weights today")
"""


@pytest.fixture
def nets_file(tmp_path):
    (tmp_path / "helper.py").write_text("SIZE = 4\n")
    path = tmp_path / "users_nets.py"
    path.write_text(CODE)
    yield path
    for name in ("users_nets", "helper"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["Net", "make_net", "ready"])
def test_a_class_a_function_and_a_module(nets_file, name):
    assert isinstance(load_module(f"{nets_file}:{name}", None), nn.Module)


def test_the_state_dict_is_loaded(nets_file, tmp_path):
    wanted = nn.Sequential()
    wanted.add_module("layer", nn.Linear(4, 1))
    (tmp_path / "net.pth").write_bytes(state_bytes(wanted.state_dict()))
    loaded = load_module(f"{nets_file}:make_net", tmp_path / "net.pth")
    assert torch.equal(loaded.layer.weight, wanted.layer.weight)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("{file}:nothing", "has no 'nothing'; expected"),
        ("{file}:number", "cannot be called without arguments"),
        ("{file}:broken", "RuntimeError: no weights today"),
        ("{file}", "expected FILE.py:NAME"),
        ("other.py:Net", r"expected FILE.py:NAME of an existing file"),
    ],
)
def test_what_is_no_module_is_named(nets_file, place, message):
    with pytest.raises(ExportError, match=message):
        load_module(place.format(file=nets_file), None)


def test_a_file_that_fails_is_named(tmp_path):
    (tmp_path / "users_broken.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(ExportError, match=r"users_broken.py: cannot be run: ModuleNotFoundError"):
        load_module(f"{tmp_path / 'users_broken.py'}:Net", None)


def test_a_file_called_as_a_loaded_module_is_loaded_beside_it(nets_file, tmp_path):
    (tmp_path / "torch.py").write_text(CODE)
    assert isinstance(load_module(f"{tmp_path / 'torch.py'}:Net", None), nn.Module)
    assert sys.modules["torch"] is torch


def test_another_modules_state_dict_is_refused(nets_file, tmp_path):
    (tmp_path / "net.pth").write_bytes(state_bytes(nn.Linear(4, 1).state_dict()))
    with pytest.raises(ModelError, match=r"net.pth: .*missing \['layer.bias', 'layer.weight'\]"):
        load_module(f"{nets_file}:Net", tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("x=float32[batch,16]", ("batch", 16)),
        ("x=float64[3, 2]", (3, 2)),
        ("mask=bool[batch]", ("batch",)),
        (" a=int8[1] ", (1,)),
    ],
)
def test_inputs_are_parsed(text, shape):
    assert parse_input(text).shape == shape


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x=float32",
        "x=float32[]",
        "x=float32[batch,0]",
        "x=float32[batch,-1]",
        "x=float32[batch,a:5..2]",
        "x=float32[batch,a:0..2]",
        "x=float32[batch,a:2]",
        "x=half[2]",
        "x=float32[batch,a*2]",
        "x=float32[batch,a b]",
        "x=float32[batch,\u0663]",
        "1x=float32[batch]",
        "x=float32[batch]<",
        "x=complex64[batch]",
    ],
)
def test_what_is_no_input_is_refused(text):
    with pytest.raises(ExportError, match=r"--input: got .*, expected"):
        parse_input(text)
