"""The same job in many fresh processes, one after the other.

Between processes a ratio differs by some 1 % more than its interval inside of one says, because memory is laid out
anew: so the interval that is reported is that over processes. Ten short processes say more than one long one.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.plan.variants import Kind
from bench.worker.job import Job, job_to_json
from bench.worker.results import ProcessResult, result_from_json
from linreg.errors import LinregError, MismatchError
from linreg.files import read_json, write_json
from linreg.folders import work_folder

TIMEOUT_S = 1800.0
LIFECYCLE_KINDS = frozenset(Kind) - {Kind.FLOOR, Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE, Kind.FACTORY}


def run_processes(job: Job, count: int, enough: Callable[[list[ProcessResult]], bool]) -> Iterator[ProcessResult]:
    """Run a job in up to `count` processes, and give each result as it comes; ends once `enough` says so.

    Args:
        job: what each does; the order of its rounds differs from process to process.
        count: of processes, at the most.
        enough: looks at the results so far.

    Raises:
        MismatchError: the reference answers wrongly.
        LinregError: a process failed.
    """
    fresh = lifecycle_names(job)
    results: list[ProcessResult] = []
    for place in range(count):
        own = replace(job, seed=job.seed + 1000 * place, fresh=fresh[place % len(fresh)] if fresh else "")
        results.append(run_in_process(own))
        yield results[-1]
        if enough(results):
            return


def lifecycle_names(job: Job) -> list[str]:
    """One variant for each way to load a model: call modes share their start, the null row that of its reference."""
    first: dict[tuple[Kind, str], str] = {}
    for variant in job.variants:
        if variant.kind in LIFECYCLE_KINDS:
            kind = Kind.ONNXRUNTIME_RUN if variant.kind is Kind.ONNXRUNTIME_IO_BINDING else variant.kind
            first.setdefault((kind, variant.file), variant.name)
    return list(first.values())


def run_in_process(job: Job) -> ProcessResult:
    """Run a job in a process of its own.

    Raises:
        MismatchError: the reference answers wrongly.
        LinregError: the process failed.
    """
    with work_folder("linreg-bench-") as folder:
        task, answer = folder / "job.json", folder / "result.json"
        write_json(task, job_to_json(job))
        command = [sys.executable, "-P", "-m", "bench.worker.process", str(task), str(answer)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise LinregError(f"a process took more than {TIMEOUT_S:.0f} s; use less --rounds") from None
        if done.returncode == 0:
            return result_from_json(read_json(answer))
    if done.returncode < 0:  # what it said before is not why
        name = signal.Signals(-done.returncode).name
        raise LinregError(f"a process of the benchmark was ended by {name}; is there enough memory?")
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode} and said nothing"]
    message = lines[-1].removeprefix("error: ")[:500]
    if done.returncode == MismatchError.exit_code:
        raise MismatchError(message)
    raise LinregError(message if lines[-1].startswith("error: ") else f"a process of the benchmark failed: {message}")
