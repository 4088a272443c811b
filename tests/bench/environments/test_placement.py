"""The libraries of an environment are read into other pages of memory for each set of processes."""

import os
from pathlib import Path

import numpy as np
import pytest

from bench.benchmark import bench
from bench.environments import benchmark
from bench.environments.placement import drop_pages, libraries_of
from tests.environments import make_environment

NUMPY = Path(np._core._multiarray_umath.__file__)


def test_the_libraries_of_a_process_are_those_it_has_mapped():
    found = libraries_of(os.getpid())
    assert NUMPY in found
    assert all(file.is_absolute() for file in found)
    assert libraries_of(2**22 + 1) == set(), "no process has this number"


def test_the_pages_of_each_file_are_dropped_and_a_missing_file_is_left_out(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        os,
        "posix_fadvise",
        lambda opened, *words: asked.append((str(Path(f"/proc/self/fd/{opened}").readlink()), *words)),
    )
    files = [tmp_path / "a.so", tmp_path / "gone.so", tmp_path / "b.so"]
    for file in (files[0], files[2]):
        file.touch()
    drop_pages(files)
    assert asked == [(str(file), 0, 0, os.POSIX_FADV_DONTNEED) for file in (files[0], files[2])]


@pytest.mark.usefixtures("frozen", "threads")
def test_each_set_drops_the_libraries_of_every_environment_once_its_processes_ended(penguins, tmp_path, monkeypatch):
    dropped, mapped = [], []

    def note(files):
        dropped.append(set(files))
        mapped.append([number for number in workers if Path(f"/proc/{number}/maps").exists()])

    workers = []
    monkeypatch.setattr(benchmark, "libraries_of", lambda number: workers.append(number) or libraries_of(number))
    monkeypatch.setattr(benchmark, "drop_pages", note)
    place = make_environment(tmp_path / "venv", "numpy", "onnxruntime")
    bench(penguins, environments={"old": place, "new": place}, processes=2, rounds=10, batches=1)
    assert len(dropped) == 2
    assert len(workers) == 4
    assert mapped == [[], []]
    for files in dropped:
        assert any(file.name.startswith("onnxruntime_pybind11_state") for file in files)
