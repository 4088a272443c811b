"""What the figures were measured on is read back from the machine, and does not name it."""

import json
import os
import platform
import re
import socket
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.environment import describe_environment, set_threads


@pytest.fixture
def threads():
    """torch's own threads, as they were after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_are_set_and_read_back(count):
    set_threads(count)
    assert torch.get_num_threads() == count
    assert describe_environment()["torch_threads"] == count


@pytest.mark.usefixtures("threads")
def test_threads_that_somebody_else_set_are_told():
    set_threads(1)
    torch.set_num_threads(2)
    assert describe_environment()["torch_threads"] == 2


def test_versions_are_those_of_what_is_loaded():
    import onnx
    import onnxruntime

    described = describe_environment()
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
    assert described["versions"] == {
        "torch": version("torch"),
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    assert torch.__version__.split("+")[0] == described["versions"]["torch"].split("+")[0]


def test_the_machine_is_described():
    described = describe_environment()
    assert described["cores"] == os.cpu_count()
    assert 0 <= described["load_1min"] < 10_000
    assert described["processor"].strip()
    assert described["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert described["system"].startswith(platform.system())


def test_the_processor_is_that_of_the_kernel():
    information = Path("/proc/cpuinfo")
    named = (
        re.findall(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE) if information.exists() else []
    )
    if not named:
        pytest.skip("the kernel names no processor here")
    assert describe_environment()["processor"] == named[0].strip()


def test_a_kernel_that_names_no_processor(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.environment.Path", lambda _name: tmp_path / "missing")
    assert describe_environment()["processor"] in (platform.processor(), platform.machine())


def test_it_is_json_and_names_no_machine_user_or_path(monkeypatch, tmp_path):
    real, secret = platform.uname(), "planted-name"
    monkeypatch.setattr(platform, "uname", lambda: platform.uname_result(real.system, secret, *real[2:5]))
    monkeypatch.setattr(socket, "gethostname", lambda: secret)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "USER", "LOGNAME", "HOSTNAME", "PWD"):
        monkeypatch.setenv(name, f"/{secret}")
    assert (platform.node(), Path.home()) == (secret, Path(f"/{secret}"))
    described = describe_environment()
    text = json.dumps(described, allow_nan=False)
    assert json.loads(text) == described
    assert secret not in text
    assert str(tmp_path) not in text
    assert set(described) == {
        "processor",
        "cores",
        "load_1min",
        "system",
        "python",
        "versions",
        "torch_threads",
        "cpu_capability",
    }


def test_load_is_read_each_time(monkeypatch):
    for load in (0.25, 7.125):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 99.0, 99.0))
        assert describe_environment()["load_1min"] == pytest.approx(load, abs=0.01)
