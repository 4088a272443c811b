"""Running a user's file: whatever it is called, wherever it stands, and what its errors say."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from export.bundle.build import build
from export.formats.names import Format
from export.source.module_source import from_module
from export.source.user_module import load_module, load_name, make_module, parse_input
from linreg.errors import ExportError, TerminatedError

NET = """
from dataclasses import dataclass

import torch
from torch import nn

@dataclass
class Sizes:
    inputs: int = 4
    outputs: int = 1

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = Sizes()
        self.layer = nn.Linear(sizes.inputs, sizes.outputs)

    def forward(self, x):
        return self.layer(x)

if __name__ == "__main__":
    raise RuntimeError("this is run as a program")
"""


@pytest.fixture(autouse=True)
def modules(tmp_path):
    """Each test finds the loaded modules and the path of imports as they were."""
    before, path = dict(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - set(before):
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path.parent)):
            del sys.modules[name]
    assert all(sys.modules[name] is module for name, module in before.items() if name in sys.modules)


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "name", ["export", "bench", "test", "linreg", "torch", "types", "turtle", "pandas", "onnxscript", "a-b", "two.dots"]
)
def test_a_file_may_be_called_as_any_other_module(write, name):
    """It hides none of them, and its classes are found where scripting looks for them."""
    before = sys.modules.get(name)
    module = load_module(f"{write(f'{name}.py', NET)}:Net", None)
    if before is not None or name in ("turtle", "onnxscript"):
        assert sys.modules.get(name) is before
    assert vars(sys.modules[type(module).__module__])["Net"] is type(module)
    source = from_module(module, [parse_input("x=float32[batch,4]")])
    assert build(source, Format.TORCHSCRIPT)


def test_a_file_is_run_anew_each_time_and_after_it_failed(write):
    path = write("users_again.py", "raise ValueError('not yet')\n")
    with pytest.raises(ExportError, match=r"cannot be run: ValueError: not yet \(line 1 of users_again.py\)$"):
        load_name(f"{path}:made")
    assert "users_again" not in sys.modules
    path.write_text("made = [1, 2]\n")
    first = load_name(f"{path}:made")
    assert first == load_name(f"{path}:made") == [1, 2]
    assert first is not load_name(f"{path}:made")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef f(:\n", r"SyntaxError: .*\(users_bad.py, line 2\)$"),
        ("x = 1\n  y = 2\n", r"IndentationError: unexpected indent \(users_bad.py, line 2\)$"),
        ("\n\nmissing\n", r"NameError: name 'missing' is not defined \(line 3 of users_bad.py\)$"),
        ("def deep():\n    1 / 0\n\ndeep()\n", r"ZeroDivisionError: division by zero \(line 2 of users_bad.py\)$"),
        ("import sys\nsys.exit(0)\n", r"SystemExit: 0 \(line 2 of users_bad.py\)$"),
        ("class Mine(BaseException):\n    pass\nraise Mine\n", r"Mine \(line 3 of users_bad.py\)$"),
        ("import nothing_of_this_name\n", r"ModuleNotFoundError: No module named .* \(line 1 of users_bad.py\)$"),
    ],
    ids=["syntax", "indent", "name", "inside", "exit", "base", "import"],
)
def test_an_error_names_its_line(write, text, message):
    with pytest.raises(ExportError, match=f"users_bad.py: cannot be run: {message}"):
        load_name(f"{write('users_bad.py', text)}:Net")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, TerminatedError])
def test_an_interruption_is_none_of_the_errors_of_a_file(write, interruption):
    text = f"from linreg.errors import TerminatedError\nraise {interruption.__name__}\n"
    with pytest.raises(interruption):
        load_name(f"{write('users_stopped.py', text)}:Net")


def test_what_stands_beside_is_imported_while_the_module_is_made_too(write):
    write("users_beside.py", "SIZE = 5\n")
    path = write("users_late.py", "def make():\n    from users_beside import SIZE\n    from torch import nn\n\n"
                 "    return nn.Linear(SIZE, 1)\n")  # fmt: skip
    assert load_module(f"{path}:make", None).in_features == 5


def test_a_helper_that_another_module_hides_is_named(write):
    importlib.import_module("bench")  # ours is loaded first, as by linreg bench
    write("bench.py", "HEADS = 4\n")
    path = write("users_hiding.py", "from bench import HEADS\n")
    with pytest.raises(ExportError, match=r"ImportError: .*; there is another module called bench: rename bench.py$"):
        load_name(f"{path}:Net")


def test_relative_imports_work_in_a_package(write):
    write("users_package/__init__.py", "ROOT = 1\n")
    write("users_package/sizes.py", "SIZE = 6\n")
    write("users_package/inner/__init__.py", "")
    path = write(
        "users_package/inner/nets.py", "from ..sizes import SIZE\nfrom torch import nn\nnet = nn.Linear(SIZE, 1)\n"
    )
    assert load_module(f"{path}:net", None).in_features == 6
    assert load_module(f"{path}:net", None).in_features == 6


def test_relative_imports_outside_of_a_package_are_refused_with_the_way_out(write):
    path = write("users_alone.py", "from .sizes import SIZE\n")
    with pytest.raises(
        ExportError, match=r"imports relatively .* is not a package: write import without the dot, or put"
    ):
        load_name(f"{path}:Net")


def test_a_package_called_as_another_is_refused(write):
    write("export/__init__.py", "")
    path = write("export/nets.py", "from . import sizes\n")
    with pytest.raises(
        ExportError, match=r"the package export of .* has the name of an installed package; rename its folder"
    ):
        load_name(f"{path}:Net")


# ---- what a name gives -----------------------------------------------------------------------------------------------

KINDS = """
import torch
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 1)

class Sized(nn.Module):
    def __init__(self, size, depth=2):
        super().__init__()

def forward(x):
    return x

def raises():
    raise KeyError("no weights")

def leaves():
    raise SystemExit(3)

def text():
    return "text"

compiled = torch.compile(Net(), backend="eager")
parallel = nn.DataParallel(torch.compile(Net(), backend="eager"))

@torch.jit.script
def scripted(x):
    return x * 2

def program():
    return torch.export.export(Net(), (torch.ones(2, 4),))

class Outer:
    pass
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Sized",
            r"cannot be called without arguments \(it needs size\); write a function that passes them: "
            r"return Sized\(size=",
        ),
        ("forward", r"cannot be called without arguments \(it needs x\); write a function"),
        ("raises", r"cannot be called without arguments: KeyError: 'no weights' \(line \d+ of users_kinds.py\)$"),
        ("leaves", r"cannot be called without arguments: SystemExit: 3 \(line \d+ of users_kinds.py\)$"),
        ("text", "gives str, expected a torch.nn.Module"),
        ("Outer", "gives Outer, expected a torch.nn.Module"),
        ("scripted", "is TorchScript already; give the nn.Module"),
        ("program", "is an ExportedProgram already; give the nn.Module"),
        ("net", r"has no 'net'; .*; did you mean .*users_kinds.py:Net\?$"),
        ("Size", r"has no 'Size'; .*; did you mean .*users_kinds.py:Sized\?$"),
        ("zzzz", r"has no 'zzzz'; .*, such as .*users_kinds.py:Net, .*users_kinds.py:Sized, .*:raises"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_name_that_gives_no_module_is_told_why(write, name, message):
    with pytest.raises(ExportError, match=message):
        load_module(f"{write('users_kinds.py', KINDS)}:{name}", None)


@pytest.mark.parametrize(
    ("name", "around"), [("compiled", "torch.compile"), ("parallel", "DataParallel, torch.compile"), ("Net", "")]
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_taken_off_is_noted(write, tmp_path, name, around):
    path = write("users_kinds.py", KINDS)
    made = make_module(f"{path}:{name}")
    assert made.notes == ((f"{path}:{name}: unwrapping {around}",) if around else ())
    assert list(made.module.state_dict()) == ["weight", "bias"]
    torch.save(nn.Linear(4, 1).state_dict(), tmp_path / "net.pth")
    wanted = torch.load(tmp_path / "net.pth", weights_only=True)
    assert torch.equal(load_module(f"{path}:{name}", tmp_path / "net.pth").weight, wanted["weight"])
