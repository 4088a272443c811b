"""The memory there is, as the files of Linux tell it, and what is refused before it is taken."""

import gzip
import re
import resource
import subprocess
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg import memory
from linreg.errors import DataError, LinregError
from linreg.reading.stream import open_stream
from linreg.reading.tables import read_table

GB = 10**9


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A /proc and a /sys/fs/cgroup of these files, and no limit of the address space."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (resource.RLIM_INFINITY,) * 2)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def available(monkeypatch, there):
    monkeypatch.setattr(memory, "available_bytes", lambda: there)


def test_what_is_left_is_that_of_the_smallest_limit(system, monkeypatch):
    assert memory.available_bytes() is None
    system(proc__meminfo="MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n", proc__self__statm="1000 500 1 1 0 1 0")
    assert memory.available_bytes() == 8_000_000 * 1024
    system(**{"proc__self__cgroup": "0::/a/b\n", "cgroup__a__b__memory.max": "max\n"})
    assert memory.available_bytes() == 8_000_000 * 1024
    system(**{"cgroup__a__memory.max": f"{3 * GB}\n", "cgroup__a__memory.current": f"{2 * GB}\n"})
    assert memory.available_bytes() == GB
    system(**{"cgroup__a__memory.stat": f"anon 5\ninactive_file {GB // 2}\n"})
    assert memory.available_bytes() == GB * 3 // 2
    system(**{"cgroup__memory.max": f"{GB}\n", "cgroup__memory.current": f"{GB // 4}\n"})
    assert memory.available_bytes() == GB * 3 // 4
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (GB // 2, GB))
    assert memory.available_bytes() == GB // 2 - 1000 * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (1000, GB))
    assert memory.available_bytes() == 0


def test_the_older_groups_of_linux(system):
    system(**{"proc__self__cgroup": "9:name=systemd:/\n4:cpu,memory:/far/away\n0::/\n"})
    system(**{"cgroup__memory__memory.limit_in_bytes": f"{2 * GB}\n"})
    assert memory.available_bytes() is None
    system(**{"cgroup__memory__memory.usage_in_bytes": f"{GB}\n"})
    assert memory.available_bytes() == GB
    system(**{"cgroup__memory__memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n"})
    assert memory.available_bytes() == GB + 1000


def test_this_machine_tells_it():
    if sys.platform == "linux":
        there = memory.available_bytes()
        assert there is not None
        assert there > 10**6


@pytest.mark.parametrize("kind", ["csv", "gzip", "parquet"])
def test_a_table_that_needs_more_memory_than_there_is_is_refused(tmp_path, monkeypatch, kind):
    path = tmp_path / "table"
    rows = 200_000
    if kind == "parquet":
        table = pa.table({"x": [1.0] * rows, "z": [2.0] * rows, "y": [3.0] * rows})
        pyarrow.parquet.write_table(table, path)
    else:
        content = b"x,z,y\n" + b"1,2,3\n" * rows
        path.write_bytes(gzip.compress(content) if kind == "gzip" else content)
    available(monkeypatch, 9 * 10**6)
    with pytest.raises(DataError) as caught:
        read_table(path, features=None, target="y")
    assert re.search("of memory for (19[0-9]|200|20[0-9]),[0-9]+ rows", str(caught.value))
    assert "of 3 columns, and 9.0 MB are available; choose fewer columns with --features" in str(caught.value)
    available(monkeypatch, 40 * 10**6)
    assert read_table(path, features=None, target="y").features.shape == (rows, 2)


def test_gzip_that_unpacks_to_more_than_the_memory(tmp_path, monkeypatch):
    (tmp_path / "table").write_bytes(gzip.compress(b"x,y\n" + b"1,2\n" * 250_000))
    available(monkeypatch, 900_000)
    with pytest.raises(DataError, match=r"needs about .* of memory for .* of 2 columns, and 900\.0 kB are available"):
        read_table(tmp_path / "table", features=None, target="y")
    stream = open_stream(tmp_path / "table", features=None, target="y")
    assert sum(len(block.values) for block in stream.blocks()) == 250_000


@pytest.mark.parametrize("head", [b"", b'"a",', b"\n\n"], ids=["plain", "quoted", "empty-lines"])
def test_columns_are_counted_before_the_header_is_split(tmp_path, head):
    """40 MB of commas: a list of as many names would take 320 MB and more."""
    path = tmp_path / "table"
    path.write_bytes(gzip.compress(head + b"," * 40_000_000 + b"\n1,2\n", 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"has (16777216|a line of more than 16777216|40000001)"):
            read_table(path, features=None, target="y")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300 * 10**6


def test_a_row_of_commas_among_quotes(tmp_path):
    (tmp_path / "table").write_bytes(b'x,y\n"1",2\n' + b"," * 20_000_000 + b"\n")
    with pytest.raises(DataError, match="has a line of more than 16777216 characters"):
        read_table(tmp_path / "table", features=None, target="y")


def test_unused_columns_of_parquet_need_no_memory(tmp_path, monkeypatch):
    rows = 100_000
    names = [f"c{place}" for place in range(50)]
    pyarrow.parquet.write_table(pa.table({**{name: range(rows) for name in names}, "y": range(rows)}), tmp_path / "t")
    available(monkeypatch, 30 * 10**6)
    assert read_table(tmp_path / "t", features=("c7",), target="y").features.shape == (rows, 1)
    with pytest.raises(DataError, match=r"100,000 rows of 51 columns, and 30\.0 MB are available"):
        read_table(tmp_path / "t", features=None, target="y")


def test_the_address_space_that_torch_needs(system, monkeypatch):
    memory.check_address_space()
    monkeypatch.setattr(memory, "usable_cores", lambda: 2)
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (12 * 10**8, 12 * 10**8))
    memory.check_address_space()
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (9 * 10**8, 9 * 10**8))
    with pytest.raises(LinregError, match=r"may use 900.0 MB of address space \(ulimit -v\), expected at least 1.2 GB"):
        memory.check_address_space()


@pytest.mark.parametrize("kilobytes", [300_000, 900_000])
def test_under_a_small_limit_train_ends_in_one_line(tmp_path, kilobytes):
    """At 900,000 OpenBLAS span for ever."""
    (tmp_path / "table.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    command = f"ulimit -v {kilobytes}; exec {sys.executable} -m linreg train table.csv --target y --split 1 -o b"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: this process may use ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("words", "kilobytes"),
    [
        *((words, 900_000) for words in ("evaluate", "export", "verify .", "plot", "bench", "demo", "doctor")),
        ("predict table.csv -m model.onnx", 400_000),
        ("verify model.onnx", 400_000),
    ],
)
def test_under_a_small_limit_every_command_that_loads_torch_or_onnxruntime_ends_so(tmp_path, words, kilobytes):
    command = f"ulimit -v {kilobytes}; exec {sys.executable} -m linreg {words}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: this process may use ")
    assert len(done.stderr.splitlines()) == 1


def test_under_a_small_limit_inspect_works(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    command = f"ulimit -v 400000; exec {sys.executable} -m linreg inspect model.onnx"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "address space" not in done.stderr


@pytest.mark.parametrize(
    "size", [(1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (20 * GB, "20.0 GB"), (3 * 10**12, "3000.0 GB")]
)
def test_bytes_in_words(size):
    assert memory.in_words(size[0]) == size[1]
