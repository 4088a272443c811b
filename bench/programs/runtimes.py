"""Time the programs of deploy/ beside ONNX Runtime in Python, after verifying each with the test vectors.

Two processes cannot share rounds. So each program runs in several processes: each pass runs one process of every
program, and one of Python, in shuffled order. A ratio compares the medians of two processes of the same pass.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from _linreg import child_command
from bench.analysis.parts import RuntimeProcess, RuntimeRow, Runtimes
from bench.analysis.statistics import Ratio, over_processes
from bench.programs.finding import Runtime, copy_checked, find_runtimes, run_program
from bench.worker.messages import nanoseconds
from linreg.config import FEWEST_RUNTIME_PROCESSES
from linreg.errors import LinregError, MismatchError, one_line
from linreg.folders import work_folder

PYTHON = "python"
"""The reference: ONNX Runtime's `run` in Python, on the same file."""

BATCHES = (1, 4096)
"""Batch sizes of the test vectors that are timed."""

BLOCKS = 100
SEED = 20261124


def time_deploy(
    deploy: Path,
    bundle: Path | None,
    *,
    processes: int,
    trust: bool,
    progress: Callable[[str, int, int], None] | None = None,
) -> Runtimes:
    """Verify and time every program of deploy/ that can run here.

    Args:
        deploy: the deploy folder of linreg's repository.
        bundle: the bundle that the programs run.
        processes: processes of each program at each batch size; at least `FEWEST_RUNTIME_PROCESSES` are run.
        trust: run programs in the bundle that this user did not export.
        progress: called with the stage, the number of processes completed and the total number of processes.

    Raises:
        MismatchError: the outputs of a program are wrong.
        LinregError: `deploy` is not linreg's deploy folder, there is no bundle with test vectors, or a program fails.
    """
    if not (deploy / "standalone-c").is_dir():
        raise LinregError(f"--runtimes {deploy}: expected the deploy folder of linreg's repository")
    if bundle is None or not (bundle / "test_data_set_0").is_dir():
        raise LinregError(f"--runtimes: needs a bundle with test vectors; run: linreg export -m {bundle or 'BUNDLE'}")
    processes = max(processes, FEWEST_RUNTIME_PROCESSES)
    with work_folder("linreg-runtimes-") as work:
        copy = copy_checked(bundle, work)
        found, missing = find_runtimes(deploy, copy, work, trust=trust)
        total = processes * len(BATCHES) * (len(found) + 1)
        report = None if progress is None else lambda done: progress("timing runtimes", done, total)
        rows = time_runtimes(found, copy, processes=processes, progress=report)
    return Runtimes(reference=PYTHON, missing=missing, rows=tuple(rows))


def time_runtimes(
    runtimes: list[Runtime],
    bundle: Path,
    *,
    processes: int,
    batches: tuple[int, ...] = BATCHES,
    progress: Callable[[int], None] | None = None,
) -> list[RuntimeRow]:
    """Verify every runtime with the bundle's test vectors, then time it in processes shuffled with Python's.

    Args:
        runtimes: the runtimes that `find_runtimes` found.
        bundle: the bundle that they run.
        processes: processes of each runtime at each batch size.
        batches: batch sizes; the bundle has a test vector of each.
        progress: called with the number of processes completed.

    Raises:
        MismatchError: the outputs of a runtime are wrong.
        LinregError: a program fails.
    """
    python = Runtime(name=PYTHON, command=tuple(child_command("bench.programs.process")))
    everyone = [python, *runtimes]
    proofs = {runtime.name: _verify(runtime, bundle) for runtime in everyone}
    samples: dict[tuple[str, int], list[dict[str, Any]]] = {}
    shuffle, done = random.Random(SEED).shuffle, 0
    for _ in range(processes):
        for batch in batches:
            shuffle(everyone)
            for runtime in everyone:
                samples.setdefault((runtime.name, batch), []).append(_time(runtime, bundle, batch))
                done += 1
                if progress is not None:
                    progress(done)
    return [
        _row(runtime.name, batch, proofs[runtime.name], samples) for batch in batches for runtime in (python, *runtimes)
    ]


def _row(name: str, batch: int, proof: str, samples: dict[tuple[str, int], list[dict[str, Any]]]) -> RuntimeRow:
    medians = {other: [_median(sample) for sample in samples[other, batch]] for other in (name, PYTHON)}
    ratios = [
        Ratio(estimate=own / base, low=own / base, high=own / base)
        for own, base in zip(medians[name], medians[PYTHON], strict=True)
    ]
    median_s = float(np.median(medians[name]))
    return RuntimeRow(
        name=name,
        version=str(samples[name, batch][0]["version"]),
        batch=batch,
        proof=proof,
        median_s=median_s,
        rows_per_s=batch / median_s,
        ratio=None if name == PYTHON else over_processes(ratios),
        processes=tuple(
            RuntimeProcess(
                calls_per_block=int(sample["calls"]),
                block_ns=tuple(nanoseconds(np.array(sample["block_s"], dtype=np.float64))),
            )
            for sample in samples[name, batch]
        ),
    )


def _median(sample: dict[str, Any]) -> float:
    return float(np.median(sample["block_s"])) / int(sample["calls"])


def _verify(runtime: Runtime, bundle: Path) -> str:
    done = run_program([*runtime.command, "verify", str(bundle)])
    lines, errors = (text.strip().splitlines() for text in (done.stdout, done.stderr))
    if done.returncode != 0:
        shown = (errors or lines or ["it printed nothing"])[0]
        raise MismatchError(f"{runtime.name}: fails the test vectors of {bundle}: {shown[:300]}")
    return lines[-2] if len(lines) > 1 else ""


def _time(runtime: Runtime, bundle: Path, batch: int) -> dict[str, Any]:
    done = run_program([*runtime.command, "bench", str(bundle), str(batch), str(BLOCKS)])
    try:
        sample: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        if done.returncode != 0 or sample["batch"] != batch or len(sample["block_s"]) != BLOCKS:
            raise ValueError("it reports another batch size or number of blocks")
    except (ValueError, IndexError, KeyError, TypeError) as error:
        said = (done.stderr.strip().splitlines() or [one_line(error)])[-1]
        raise LinregError(f"{runtime.name}: bench at batch {batch} failed: {said[:300]}") from None
    return sample
