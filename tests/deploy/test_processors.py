"""deploy/processors without any cross-compiler: what it reads in a trace, and what it says where tools are missing."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.deploy.processors import REFERENCE, check, module, rows

call_trace = module("call_trace")
STACK_POINTER = r"R13=([0-9a-f]+)"


def step(symbol: str, stack_pointer: int) -> list[str]:
    return [
        f"Trace 0: 0x7f54e768bcc0 [00800480/0001049c/00000000/00000201] {symbol}\n",
        f"R12=0 R13={stack_pointer:x}\n",
    ]


def trace(*steps: tuple[str, int]) -> list[str]:
    return [line for symbol, stack_pointer in steps for line in step(symbol, stack_pointer)]


CALL = [
    ("main", 0x900),
    ("call_begins", 0x7F0),  # a mark may use the stack, as a call on x86 does
    ("main", 0x800),
    ("linreg_predict", 0x800),
    ("linreg_predict", 0x7E0),
    ("fmaf", 0x7C0),
    ("", 0x7B0),  # a function of the C library without a symbol
    ("linreg_predict", 0x7E0),
    ("main", 0x800),
    ("call_ends", 0x700),
    ("free", 0x100),
]


def test_a_call_is_what_lies_between_the_marks():
    cost = call_trace.call_cost(trace(*CALL), STACK_POINTER)
    assert (cost.instructions, cost.stack_bytes) == (5, 0x800 - 0x7B0)


@pytest.mark.parametrize("gone", ["call_begins", "call_ends", "linreg_predict fmaf "])
def test_a_trace_without_a_mark_or_a_call_is_refused(gone):
    left = [entry for entry in CALL if entry[0] not in gone.split(" ")]
    with pytest.raises(call_trace.TraceError, match="no whole call"):
        call_trace.call_cost(trace(*left), STACK_POINTER)


def test_a_trace_without_the_register_is_refused():
    with pytest.raises(call_trace.TraceError, match="0 stack pointers"):
        call_trace.call_cost(trace(*CALL), r"SP=([0-9a-f]+)")


def test_what_is_missing_is_named_with_its_command(tmp_path):
    ended = check(env={**os.environ, "PATH": str(tmp_path)})
    table = rows(ended.stdout)
    assert table["s390x, big-endian"] == [
        "missing: apt-get install --no-install-recommends gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user"
    ]
    assert len(table) == 8 and all(cells[0].startswith("missing: apt-get install") for cells in table.values())
    assert ended.stdout.endswith("\n0 passed, 0 failed\n")
    assert (ended.returncode, ended.stderr) == (1, ""), "nothing was tried"


def test_the_packages_of_all_are_listed_once(tmp_path):
    ended = check("--packages", env={**os.environ, "PATH": str(tmp_path)})
    packages = ended.stdout.split()
    assert packages == sorted(set(packages))
    assert {"qemu-user", "qemu-system-arm", "gcc-powerpc64le-linux-gnu", "libc6-dev-arm64-cross"} <= set(packages)


def test_source_that_does_not_compile_fails(tmp_path):
    tools(tmp_path, '#!/bin/sh\nexec /usr/bin/gcc "$@"\n')
    bundle = Path(shutil.copytree(REFERENCE / "line", tmp_path / "line"))
    with (bundle / "model.c").open("a") as file:
        file.write("damage\n")
    ended = check(bundle, env={**os.environ, "PATH": str(tmp_path)})
    assert "failed: aarch64-linux-gnu-gcc ended with 1" in rows(ended.stdout)["aarch64"][0]
    assert ended.returncode == 1


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("standalone-c: 4 cases, bit-equal\n4 passed, 0 failed", 0),
        ("standalone-c: 5 cases, bit-equal\n4 passed, 0 failed", 0),
        ("standalone-c: 5 cases, worst error 2 of what is allowed\n4 passed, 1 failed", 1),
        ("", 1),
    ],
)
def test_vectors_that_fail_or_were_not_run_fail_the_processor(tmp_path, said, status):
    tools(tmp_path, "#!/bin/sh\nexit 0\n")
    program(tmp_path / "qemu-aarch64", f"#!/bin/sh\nprintf '%s\\n' '{said}'\nexit {status}\n")
    ended = check(env={**os.environ, "PATH": str(tmp_path)})
    (row,) = rows(ended.stdout)["aarch64"]
    assert row.startswith("failed: ") and (said.split("\n")[0] or "it printed nothing") in row
    assert ended.returncode == 1


def tools(folder: Path, text: str) -> None:
    """Stand-ins of the tools for aarch64, of one text."""
    assert sys.platform == "linux"
    for name in ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-size", "qemu-aarch64"):
        program(folder / name, text)


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
