"""Time the rows of all environments in the same rounds.

The workers of all environments live at the same time and take turns: each waits for the next request while another
times its block. So a drift of the machine's speed reaches all of them alike, as it does within one process. With one
thread they also share one core, since two cores of a shared machine differ from each other for minutes.

Ratios still differ between sets of processes, because each process lays out memory in its own way. So several sets
run, and the interval is the one over sets. As every environment has a process of its own in each set, the interval
contains what a null row would show; there is none.
"""

import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.environments.cases import LIBRARIES, Case, Prepared
from bench.environments.channel import Worker, WorkerError
from bench.environments.probe import begin
from bench.plan.expected import SEED
from bench.plan.interpreters import Interpreter
from bench.plan.variants import Kind
from bench.protocol import BINDINGS, BLOCK_S, CALIBRATION_TRIALS, MAX_CALLS, WARM_IN_CALLS
from bench.worker.rounds import SLOW_S, VERY_SLOW_S, Blocks
from linreg.config import FEWEST_ROUNDS

TIMING = {
    "block_ns": round(BLOCK_S * 1e9),
    "warm_in_calls": WARM_IN_CALLS,
    "trials": CALIBRATION_TRIALS,
    "slow_ns": round(SLOW_S * 1e9),
    "very_slow_ns": round(VERY_SLOW_S * 1e9),
    "max_calls": MAX_CALLS,
    "bindings": BINDINGS,
}
"""The constants of timing, which workers get in their first message."""

BATCH_S = 10.0
"""A set of processes stops after so many seconds at a batch size, but not before `FEWEST_ROUNDS` rounds."""

Key = tuple[str, str]
"""Name of an environment, and of a row."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """The workers of one set, with their rows loaded.

    Attributes:
        workers: worker of each environment, by name.
        described: Python and versions, as each worker reports them.
        rows: the environments and rows that are loaded.
        failed: why a row could not be loaded.
    """

    workers: dict[str, Worker]
    described: dict[str, Mapping[str, Any]]
    rows: tuple[Key, ...]
    failed: dict[Key, str]


def start_team(
    stack: ExitStack,
    interpreters: Sequence[Interpreter],
    prepared: Prepared,
    folder: Path,
    *,
    place: int,
    threads: int,
    onnxruntime_threads: int,
) -> Team:
    """Start a worker for each environment and load every row that it has the library for.

    Args:
        stack: ends the workers when it is closed.
        interpreters: the environments.
        prepared: the rows.
        folder: the work folder.
        place: number of the set, which chooses the core.
        threads: torch threads.
        onnxruntime_threads: ONNX Runtime threads.

    Raises:
        LinregError: a Python does not start, or has no numpy.
    """
    core = _core(place) if max(threads, onnxruntime_threads) == 1 else None
    workers: dict[str, Worker] = {}
    described: dict[str, Mapping[str, Any]] = {}
    failed: dict[Key, str] = {}
    rows: list[Key] = []
    for interpreter in interpreters:
        worker = stack.enter_context(Worker(interpreter, folder, core))
        workers[worker.name] = worker
        module = "" if prepared.module is None else prepared.module["module"].rpartition(":")[0]
        dotted = "" if module.endswith(".py") else module
        described[worker.name] = begin(worker, folder, timing=TIMING, module=dotted)
        for row in prepared.rows:
            if LIBRARIES[row.kind] not in described[worker.name]["libraries"]:
                continue
            more = prepared.module if row.kind is Kind.EAGER and prepared.module is not None else {"file": row.file}
            budget = onnxruntime_threads if LIBRARIES[row.kind] == "onnxruntime" else threads
            try:
                worker.ask("load", row=row.name, kind=row.kind.value, threads=budget, **more)
                rows.append((worker.name, row.name))
            except WorkerError as error:
                failed[worker.name, row.name] = error.problem
    return Team(workers=workers, described=described, rows=tuple(rows), failed=failed)


def _core(place: int) -> int | None:
    """Return the core of a set; the sets take turns on the cores that this process may use."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[place % len(cores)]


def time_team(
    team: Team, rows: Sequence[Key], cases: Sequence[Case], *, rounds: int, place: int
) -> Iterator[tuple[int, dict[Key, Blocks]]]:
    """Time the rows of a set at each batch size, and yield the batch size with the blocks of every row.

    Raises:
        WorkerError: a row failed.
    """
    for case in cases:
        if case.batch is None:
            continue
        calls = {key: team.workers[key[0]].ask("bind", row=key[1], case=case.file) for key in rows}
        nanoseconds: dict[Key, list[int]] = {key: [] for key in rows}
        order, shuffle = list(rows), random.Random(SEED + 1000 * place + case.batch).shuffle
        start = time.perf_counter()
        for done in range(rounds):
            if done >= FEWEST_ROUNDS and time.perf_counter() - start > BATCH_S:
                break
            shuffle(order)
            for key in order:
                answer = team.workers[key[0]].ask("block", row=key[1], case=case.file, round=done, **calls[key])
                nanoseconds[key].append(answer["ns"])
        yield (
            case.batch,
            {
                key: Blocks(calls=calls[key]["calls"], block_s=(block_s := np.array(taken) * 1e-9), host_s=block_s)
                for key, taken in nanoseconds.items()
            },
        )
