"""What `linreg inspect` costs at most, whatever the file: 2 s of CPU and 256 MB for any file below 10 MB."""

import json
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.hostile_files import HOSTILE, strict_json

MOST_CPU_S = 2.0
MOST_BYTES = 256 * 2**20


# Inspects every file named on the command line, as JSON and as tables, each in a fork, and tells what it cost.
DRIVER = r"""
import contextlib, io, json, os, re, sys
from linreg.cli.main import main
import rich.console, rich.table

def peak_bytes():
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) * 1024

def inspect(words):
    sys.argv = ["linreg", "inspect", *words]
    before, start = peak_bytes(), os.times()
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    end = os.times()
    cpu_s = end.user + end.system - start.user - start.system
    return [code, out.detach().getvalue().decode(), err.getvalue(), cpu_s, peak_bytes() - before]

for name in sys.argv[1:]:
    for words in ([name, "--json"], [name]):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            with open(writing, "w") as stream:
                json.dump(inspect(words), stream)
            os._exit(0)
        os.close(writing)
        with open(reading) as stream:
            cost = stream.read()
        print(cost, flush=True)
        os.wait()
        if json.loads(cost)[0]:
            print(cost)  # an error is the same for both
            break
"""


class Cost(NamedTuple):
    code: int
    out: str
    err: str
    cpu_s: float
    peak_bytes: int


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> dict[str, list[Cost]]:
    """What inspecting each hostile file cost, as JSON and as tables."""
    folder = tmp_path_factory.mktemp("hostile")
    for place, build in enumerate(HOSTILE.values()):
        data = build()
        assert len(data) < 10_000_000
        (folder / str(place)).write_bytes(data)
    command = [sys.executable, "-c", DRIVER, *map(str, range(len(HOSTILE)))]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    lines = [Cost(*json.loads(line)) for line in ended.stdout.splitlines()]
    for file in folder.iterdir():
        file.unlink()
    return {name: lines[2 * place : 2 * place + 2] for place, name in enumerate(HOSTILE)}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little(costs, name):
    for cost in costs[name]:
        assert cost.cpu_s < MOST_CPU_S
        assert cost.peak_bytes < MOST_BYTES
        assert "\x1b" not in cost.out + cost.err
    as_json, table = costs[name]
    assert as_json.code == table.code
    if as_json.code == 0:
        strict_json(as_json.out)
        assert len(table.out) < 200_000
    else:
        assert (as_json.code, as_json.out) == (1, "")
        assert as_json.err.startswith("error: ")
        assert as_json.err.count("\n") == 1
        assert "unexpected" not in as_json.err
        assert len(as_json.err) < 600
