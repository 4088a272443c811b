"""What the figures were measured on is read from the machine, and does not name it."""

import json
import os
import platform
import re
import socket
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import environment
from bench.environment import describe_environment, stolen_s


def test_versions_are_those_of_what_is_loaded():
    import onnx
    import onnxruntime

    described = describe_environment()
    assert described.python == ".".join(map(str, sys.version_info[:3]))
    versions = dict(described.versions)
    gpu = versions.pop("onnxruntime-gpu", None)
    assert versions.pop("onnxruntime", gpu) == onnxruntime.__version__
    assert versions == {
        "torch": version("torch"),
        "numpy": np.__version__,
        "onnx": onnx.__version__,
    }
    assert torch.__version__.split("+")[0] == described.versions["torch"].split("+")[0]


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "surely-not-installed"))
    assert describe_environment().versions == {"numpy": np.__version__}


def test_the_machine_is_described():
    described = describe_environment()
    assert described.cores == os.cpu_count()
    assert 0 <= described.load_1min < 10_000
    assert described.processor.strip()
    assert described.cpu_capability == torch.backends.cpu.get_cpu_capability()
    assert described.system.startswith(platform.system())


def test_the_processor_is_that_of_the_kernel():
    information = Path("/proc/cpuinfo")
    named = (
        re.findall(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE) if information.exists() else []
    )
    if not named:
        pytest.skip("the kernel names no processor here")
    assert describe_environment().processor == named[0].strip()


def test_a_kernel_that_names_no_processor(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.environment.Path", lambda _name: tmp_path / "missing")
    described = describe_environment()
    assert described.processor in (platform.processor(), platform.machine())
    assert described.address_layout_randomised is None
    assert stolen_s() == 0.0


@pytest.mark.parametrize(("setting", "randomised"), [("0", False), ("1", True), ("2", True)])
def test_whether_the_layout_of_memory_is_randomised(monkeypatch, tmp_path, setting, randomised):
    (tmp_path / "file").write_text(f"{setting}\n")
    monkeypatch.setattr("bench.environment.Path", lambda _name: tmp_path / "file")
    assert describe_environment().address_layout_randomised is randomised


@pytest.mark.parametrize(
    ("line", "ticks"),
    [("cpu  10 20 30 40 50 60 70 850 90 100", 850), ("cpu  1 2 3 4 5 6 7 0 0 0", 0), ("cpu  1 2 3 4 5 6 7", 0)],
)
def test_what_the_host_took_is_the_eighth_figure_of_the_kernel(monkeypatch, tmp_path, line, ticks):
    (tmp_path / "stat").write_text(f"{line}\ncpu0 1 1 1 1 1 1 1 999 1 1\n")
    monkeypatch.setattr("bench.environment.Path", lambda _name: tmp_path / "stat")
    assert stolen_s() == ticks / os.sysconf("SC_CLK_TCK")


def test_the_cuda_device_is_named_where_there_is_one(monkeypatch):
    for available, name in ((True, "NVIDIA H100"), (False, None)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
        assert describe_environment().cuda == name


def test_it_is_json_and_names_no_machine_user_or_path(monkeypatch, tmp_path):
    real, secret = platform.uname(), "planted-name"
    monkeypatch.setattr(platform, "uname", lambda: platform.uname_result(real.system, secret, *real[2:5]))
    monkeypatch.setattr(socket, "gethostname", lambda: secret)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "USER", "LOGNAME", "HOSTNAME", "PWD"):
        monkeypatch.setenv(name, f"/{secret}")
    assert (platform.node(), Path.home()) == (secret, Path(f"/{secret}"))
    described = asdict(describe_environment())
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
        "cpu_capability",
        "cuda",
        "clock_resolution_s",
        "address_layout_randomised",
    }


def test_load_is_read_each_time(monkeypatch):
    for load in (0.25, 7.125):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 99.0, 99.0))
        assert describe_environment().load_1min == pytest.approx(load, abs=0.01)
