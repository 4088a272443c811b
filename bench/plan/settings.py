"""Parse the settings of a benchmark, given as strings on the command line or as values in Python."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bench.plan.variants import AGAINST, ONNX_LEVELS, REFERENCE
from bench.protocol import FIRST_LOOK
from linreg.config import (
    BENCH_DEFAULTS,
    ENVIRONMENTS_TARGET,
    FEWEST_ROUNDS,
    MOST_BATCH,
    MOST_PROCESSES,
    MOST_ROUNDS,
    MOST_SETS,
    BenchSettings,
    DeviceChoice,
)
from linreg.errors import LinregError
from linreg.memory import usable_cores


def bench_settings(
    *,
    batches: str | int | Iterable[int],
    threads: str | int | Iterable[int],
    onnxruntime_threads: int | None,
    processes: int | None,
    rounds: int | None,
    target: str | float | None,
    reference: str | None,
    against: bool,
    environments: bool = False,
) -> BenchSettings:
    """Check settings and fill in the defaults that depend on others.

    Args:
        batches: batch sizes, such as `1,4096`.
        threads: intra-op threads, such as `1,2`.
        onnxruntime_threads: ONNX Runtime threads; None: same as torch.
        processes: maximum number of processes; None: the default, and a few more while the half-width of an interval
            exceeds 2 %.
        rounds: blocks of every variant in each process; None: until every interval is as narrow as `target`.
        target: half-width of the intervals at which to stop, such as `1%`; None: the default.
        reference: name of the row that ratios refer to; None: the default row.
        against: whether another bundle's artifact is timed; it is then the default reference.
        environments: whether Python environments are compared, which has defaults of its own.

    Raises:
        LinregError: a setting is malformed or out of range.
    """
    _check_range("--rounds", FEWEST_ROUNDS if rounds is None else rounds, FEWEST_ROUNDS, MOST_ROUNDS)
    fewest = 2 if environments else 1  # each environment has a process of its own, and no null row shows what that does
    _check_range("--processes", fewest if processes is None else processes, fewest, MOST_PROCESSES)
    _check_range("--onnxruntime-threads", onnxruntime_threads or 1, 1, usable_cores())
    with _naming("batches"):
        sizes = parse_counts(batches, MOST_BATCH)
    with _naming("threads"):
        counts = parse_counts(threads, usable_cores())
    with _naming("target"):
        fraction = parse_fraction(target or (ENVIRONMENTS_TARGET if environments else BENCH_DEFAULTS.target))
    return BenchSettings(
        batches=sizes,
        threads=counts,
        onnxruntime_threads=onnxruntime_threads,
        rounds=FIRST_LOOK if rounds is None and environments else rounds,
        processes=processes or (MOST_SETS if environments else BENCH_DEFAULTS.processes),
        more_processes=BENCH_DEFAULTS.more_processes if processes is None and not environments else 0,
        target=fraction,
        reference=reference or (AGAINST if against else REFERENCE),
    )


def parse_counts(value: str | int | Iterable[int], most: int) -> tuple[int, ...]:
    """Parse whole numbers such as `1,64,4096`, and drop duplicates.

    Raises:
        LinregError: a value is not an integer from 1 to `most`.
    """
    try:
        several = [value] if isinstance(value, int) else value.split(",") if isinstance(value, str) else value
        counts = tuple(dict.fromkeys(map(int, several)))
    except (TypeError, ValueError):
        counts = ()
    if counts and all(1 <= count <= most for count in counts):
        return counts
    listed = isinstance(value, str) and re.fullmatch(r"\D*(\d+\D+)+\d+\D*", value)
    example = f": {','.join(re.findall('[0-9]+', str(value)))}" if listed else ""
    commas = f", separated by commas{example}" if isinstance(value, str) else ""
    raise LinregError(f"got {value!r}, expected integers from 1 to {most}{commas}")


def parse_fraction(value: str | float) -> float:
    """Parse a fraction: `3%` and `0.03` both give 0.03.

    Raises:
        LinregError: the value is not a number or a percentage, or is not between 0 and 100 %.
    """
    try:
        text = str(value)
        fraction = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        fraction = -1.0
    if not 0 < fraction < 1:
        raise LinregError(f"got {value!r}, expected a fraction such as 3% or 0.03; 3 alone is 300 %")
    return fraction


def parse_levels(value: str | Iterable[str]) -> tuple[str, ...]:
    """Parse levels of graph optimisation such as `all,disabled`, and drop duplicates.

    Raises:
        LinregError: onnxruntime has no such level.
    """
    levels = tuple(dict.fromkeys(value.split(",") if isinstance(value, str) else value))
    if not levels or not set(levels) <= set(ONNX_LEVELS):
        raise LinregError(
            f"onnx_optimization: got {value!r}, expected one of {', '.join(ONNX_LEVELS)}; or several: all,disabled"
        )
    return levels


def parse_device(value: str) -> DeviceChoice:
    """Look up a device by its name.

    Raises:
        LinregError: there is no such device.
    """
    if value not in set(DeviceChoice):
        raise LinregError(f"device: got {value!r}, expected one of {', '.join(DeviceChoice)}")
    return DeviceChoice(value)


def _check_range(name: str, value: int, fewest: int, most: int) -> None:
    if not isinstance(value, int) or not fewest <= value <= most:
        raise LinregError(f"{name}: got {value!r}, expected {fewest} to {most}")


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the name of a setting before the message of a LinregError raised in the block."""
    try:
        yield
    except LinregError as error:
        raise LinregError(f"{name}: {error}") from None
