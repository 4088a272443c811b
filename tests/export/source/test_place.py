"""`FILE.py:NAME` as people type it: nothing is run to say what to type instead."""

import pytest

from export.source.place import candidates, find_place
from linreg.errors import ExportError

CODE = """
raise SystemExit("nobody may run this file to look into it")

import torch
from torch import nn

SIZE = 4
net = nn.Linear(SIZE, 1)
_hidden = nn.Linear(SIZE, 1)

class Net(nn.Module):
    pass

class Plain:
    pass

def make_net(size=4, *, bias=True):
    return Net()

def needs(size):
    return Net()

def needs_keyword(*, size):
    return Net()

async def later():
    return Net()

if __name__ == "__main__":
    def only_here():
        return Net()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(CODE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "deep.py").write_text("def make(): pass\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "weights.pth").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def test_the_names_that_may_give_a_module_are_found_without_running_the_file(folder):
    assert candidates(folder / "nets.py") == ["net", "Net", "make_net"]


@pytest.mark.parametrize(
    "content", [b"def (:", b"\x00", b"\xff\xfe", b"(" * 5000], ids=["syntax", "null", "encoding", "nested"]
)
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_cannot_be_parsed_has_no_candidates(tmp_path, content):
    (tmp_path / "bad.py").write_bytes(content)
    assert candidates(tmp_path / "bad.py") == []


def test_a_place_is_its_file_and_its_name(folder):
    found = find_place("nets.py:Net", "--module", "a module")
    assert (str(found.file), found.name) == ("nets.py", "Net")
    assert find_place(f"{folder}/nets.py:other", "--module", "a module").name == "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nets.py", "got 'nets.py' without a name; .*, such as nets.py:net, nets.py:Net, nets.py:make_net$"),
        ("nets.py:", "got 'nets.py' without a name; expected FILE.py:NAME of a module, such as nets.py:net"),
        (
            "nets",
            r"got 'nets', expected FILE.py:NAME of an existing file, or package.module:NAME; did you mean nets.py\?$",
        ),
        ("package/deep:make", r"did you mean package/deep.py:make\?$"),
        ("net.py:Net", r"got 'net.py:Net', .*did you mean nets.py:Net\?$"),
        ("package/dep.py:make", r"did you mean package/deep.py:make\?$"),
        ("package", "got 'package', a folder; expected FILE.py:NAME of a module, such as package/deep.py$"),
        ("package:make", "got 'package:make', a folder; expected FILE.py:NAME of a module, such as package/deep.py$"),
        ("empty", "got 'empty', a folder; expected FILE.py:NAME of a module$"),
        ("nowhere/nets.py:Net", "of an existing file, or package.module:NAME; there is no folder nowhere$"),
        ("zzzzzz.py:Net", "got 'zzzzzz.py:Net', expected FILE.py:NAME of an existing file, or package.module:NAME$"),
        ("weights.pth", "which is not a Python file; expected .*; a state_dict goes to --state-dict$"),
        ("notes.txt:Net", "got 'notes.txt:Net', which is not a Python file; expected FILE.py:NAME of a module$"),
        (":Net", "got ':Net', expected FILE.py:NAME of an existing file, or package.module:NAME$"),
        (":", "got '', expected FILE.py:NAME of an existing file, or package.module:NAME$"),
        ("", "got '', expected FILE.py:NAME of an existing file, or package.module:NAME$"),
    ],
)
def test_what_to_type_instead(folder, text, message):
    with pytest.raises(ExportError, match=f"^--module: .*{message}"):
        find_place(text, "--module", "a module")


def test_of_many_names_a_few_are_shown(tmp_path):
    (tmp_path / "many.py").write_text("".join(f"def make_{number}(): pass\n" for number in range(20)))
    with pytest.raises(ExportError, match=r"many.py:make_7 and 12 more$"):
        find_place(str(tmp_path / "many.py"), "--module", "a module")
