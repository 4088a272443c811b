"""Blocks of calls in C and JavaScript, on a clock that only calls move: Python's number of calls, and their seconds.

The programs' own blocks are on this machine's clock, where how long one takes says nothing that a test may ask.
"""

import json
import os
import subprocess

import pytest

from bench.worker.rounds import calibrate
from tests.call_clock import Machine
from tests.conftest import ROOT

C = """
#include <stdint.h>
#include <time.h>
static int64_t now, cost;
static int read_virtual_clock(struct timespec *time) {
  time->tv_sec = now / 1000000000;
  time->tv_nsec = now % 1000000000;
  return 0;
}
#define clock_gettime(clock, time) read_virtual_clock(time)
#include "bench.h"
static bool call(void *context) {
  (void)context;
  now += cost;
  return true;
}
int main(int count, char **words) {
  cost = count > 1 ? strtoll(words[1], NULL, 10) : 0;
  return bench_print("c", "1", 1, 3, call, NULL);
}
"""
JAVASCRIPT = """
import { measureBlocks } from './timing.mjs';
const cost = Number(process.env.COST);
let now = 0;
performance.now = () => now / 1e6;
const { calls, blockS } = await measureBlocks(async () => { now += cost; }, { blocks: 3 });
console.log(JSON.stringify({ calls, block_s: blockS }));
"""


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(C)
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-I", ROOT / "deploy" / "vectors"]
    subprocess.run(["gcc", *flags, "clock.c", "-o", "clock"], cwd=folder, check=True)
    return folder / "clock"


def in_c(program, cost: int) -> dict:
    return json.loads(subprocess.run([program, str(cost)], capture_output=True, check=True).stdout)


def in_javascript(_program, cost: int) -> dict:
    command = ["node", "--input-type=module", "--eval", JAVASCRIPT]
    environment = os.environ | {"COST": str(cost)}
    ended = subprocess.run(command, cwd=ROOT / "deploy" / "js", env=environment, capture_output=True, check=True)
    return json.loads(ended.stdout)


@pytest.mark.parametrize("cost", [2, 41, 5_001, 66_667, 99_999, 100_001, 400_000])
@pytest.mark.parametrize("measured", [in_c, in_javascript])
def test_a_block_has_the_calls_and_seconds_of_python(c, measured, cost):
    machine = Machine()
    calls, _ = calibrate(machine.call("a", cost), machine.timer)
    found = measured(c, cost)
    assert found["calls"] == calls
    assert found["block_s"] == pytest.approx([calls * cost * 1e-9] * 3, rel=1e-9)
