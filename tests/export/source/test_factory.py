"""Modules that are imported by name, made with arguments, or returned beside an example of their inputs."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from export.source.factory import parse_argument, parse_arguments
from export.source.place import find_place
from export.source.user_module import load_module, load_name, make_module
from linreg.errors import ExportError

CODE = """
import torch
from torch import nn

class Sized(nn.Module):
    def __init__(self, size, outputs=1, *, bias=True, name="none"):
        super().__init__()
        self.layer, self.name = nn.Linear(size, outputs, bias=bias), name

    def forward(self, x):
        return self.layer(x)

def anything(**options):
    return Sized(**options)

def with_example():
    return Sized(3), (torch.ones(2, 3),)

net = Sized(2)
pair = (net, {"x": torch.ones(4, 2)})
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """A package in the current folder, whose modules are forgotten after each test."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "users_models" / "inner"
    folder.mkdir(parents=True)
    (tmp_path / "users_models" / "__init__.py").write_text("LOADED = True\n")
    (folder / "__init__.py").write_text("")
    (folder / "sized.py").write_text(CODE)
    (folder / "bad.py").write_text("import users_absent\n")
    yield folder
    assert str(tmp_path) not in sys.path
    for name in [name for name in sys.modules if name.startswith("users_models")]:
        del sys.modules[name]


def test_a_module_of_the_current_folder_is_imported_by_its_name(package):
    assert load_module("users_models.inner.sized:net", None).layer.in_features == 2
    assert sys.modules["users_models"].LOADED
    assert load_name("users_models.inner.sized:Sized").__module__ == "users_models.inner.sized"


def test_finding_a_module_runs_no_code(package):
    found = find_place("users_models.inner.sized:net", "--module", "a module")
    assert (found.file, found.module, str(found)) == (
        package / "sized.py",
        "users_models.inner.sized",
        "users_models.inner.sized:net",
    )
    assert not any(name.startswith("users_models") for name in sys.modules)


def test_a_file_and_a_folder_without_init_are_importable_too(tmp_path):
    (tmp_path / "users_flat.py").write_text("")
    (tmp_path / "users_plain").mkdir()
    (tmp_path / "users_plain" / "deep.py").write_text("")
    assert find_place("users_flat:x", "--module", "").file == tmp_path / "users_flat.py"
    assert find_place("users_plain.deep:x", "--module", "").file == tmp_path / "users_plain" / "deep.py"


def test_an_installed_module_is_imported_once():
    assert load_name("torch.nn:Linear") is nn.Linear
    assert find_place("torch.nn:Linear", "--module", "").file == Path(nn.__file__)


def test_every_caller_gets_a_module_of_its_own():
    one, other = (load_module("users_models.inner.sized:net", None) for _ in range(2))
    assert one is not other
    assert torch.equal(one.layer.weight, other.layer.weight)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("users_models.inner.sized:Size", r"sized: has no 'Size'; .* did you mean users_models.inner.sized:Sized\?$"),
        ("users_models.inner.zzz:net", "got 'users_models.inner.zzz:net', expected FILE.py:NAME of an existing file"),
        ("users_models.inner.bad:net", "bad: cannot be imported: ModuleNotFoundError: No module named 'users_absent'"),
        ("math:sin", "expected FILE.py:NAME"),
    ],
)
def test_what_cannot_be_imported_is_named(place, message):
    with pytest.raises(ExportError, match=message):
        load_module(place, None)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("size=4", "size", 4),
        ("rate=1e-3", "rate", 1e-3),
        ("bias=false", "bias", False),
        ("name=bert-base", "name", "bert-base"),
        ('name="4"', "name", "4"),
        ("sizes=[1, 2]", "sizes", [1, 2]),
        ("text=a=b", "text", "a=b"),
        ("none=null", "none", None),
        ("empty=", "empty", ""),
    ],
)
def test_a_value_is_json_or_text(text, name, value):
    assert parse_argument(text) == (name, value)


@pytest.mark.parametrize("text", ["size", "=4", "a b=4", "a.b=4"])
def test_an_argument_without_a_name_is_refused(text):
    with pytest.raises(ExportError, match=r"--arg: got .*, expected NAME=VALUE such as hidden=64"):
        parse_argument(text)


def test_constants_of_python_are_refused_rather_than_taken_for_text():
    with pytest.raises(ExportError, match="expected JSON: bias=false, or bias='\"False\"' for the text"):
        parse_argument("bias=False")


def test_an_argument_given_twice_is_refused():
    with pytest.raises(ExportError, match="size is given twice"):
        parse_arguments(["size=4", "size=5"])


@pytest.mark.parametrize("name", ["Sized", "anything"])
def test_arguments_reach_the_class_or_function(package, name):
    made = load_module(f"{package / 'sized.py'}:{name}", None, ("size=5", "outputs=2", "bias=false", "name=mlp"))
    assert (made.layer.in_features, made.layer.out_features, made.layer.bias, made.name) == (5, 2, None, "mlp")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Sized", ["size=5", "outptus=2"], "has no argument 'outptus'; did you mean outputs"),
        ("Sized", ["zzz=2"], "has no argument 'zzz'; it takes size, outputs, bias, name"),
        ("Sized", ["bias=true"], r"cannot be called with these arguments \(it needs size\).*or give --arg size=\.\.\."),
        ("Sized", ['size="a"'], "cannot be called with size: TypeError"),
        ("net", ["size=5"], "is a module already, which takes no arguments"),
        ("pair", ["size=5"], "is a module already, which takes no arguments"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(package, name, arguments, message):
    with pytest.raises(ExportError, match=message) as refused:
        make_module(f"{package / 'sized.py'}:{name}", arguments)
    assert "\n" not in str(refused.value)


def test_an_example_beside_the_module_is_kept(package):
    made = make_module(f"{package / 'sized.py'}:with_example")
    assert made.module.layer.in_features == 3
    assert torch.equal(made.example[0], torch.ones(2, 3))
    assert make_module(f"{package / 'sized.py'}:pair").example["x"].shape == (4, 2)
    assert make_module(f"{package / 'sized.py'}:net").example is None
