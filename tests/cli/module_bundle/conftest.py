"""The bundle of a user's network, exported once, and a copy of it for each test."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from linreg.cli.main import main
from tests.cli.module_bundle.user_net import BUDGET, CODE, INPUTS, MODULE


@pytest.fixture(autouse=True)
def forgotten():
    """Other tests import another nets.py."""
    yield
    sys.modules.pop("nets", None)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The bundle as `linreg export` writes it, in a folder beside its code."""
    folder = tmp_path_factory.mktemp("module-bundle")
    (folder / "nets.py").write_text(CODE)
    words = [*MODULE[:1], f"{folder / 'nets.py'}:make_net", *INPUTS, *BUDGET, "-f", "onnx", "-f", "torchscript"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["linreg", "export", *words, "-o", "net"])
        main()
    assert not ended.value.code
    return folder


@pytest.fixture
def net(made, tmp_path):
    """A copy of the bundle that a test may change: `net` in the folder where commands run."""
    shutil.copy(made / "nets.py", tmp_path)
    return Path(shutil.copytree(made / "net", tmp_path / "net"))


@pytest.fixture
def module(net):
    """The module of the bundle."""
    names: dict = {"__name__": "nets_of_bundle"}
    exec(CODE, names)
    found = names["make_net"]()
    found.load_state_dict(torch.load(net / "model.pth", weights_only=True))
    return found.eval()
