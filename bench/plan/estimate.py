"""Estimate how long a benchmark will take, and run fewer processes if that is too long."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.protocol import BINDINGS, CALIBRATION_TRIALS, FIRST_LOOK, WARM_IN_CALLS
from linreg.config import FEWEST_PAIRED_ROUNDS, ROUNDS_TIME_S, BenchSettings

PREPARATION_S = 4.0
PROCESS_S = 3.4
"""Seconds for a process to import the libraries and load every variant; with one process there is nothing to import."""

BLOCK_S = 0.00025
"""Seconds for a block of a small model, with the untimed calls before it."""

SLOW_CALL_S = 0.05
"""The inputs of a call as slow as this are bound once: an unlucky address makes no difference to it."""

LONG_CALL_S = 0.001
"""A call of the reference as slow as this is named as the reason why a benchmark is shortened."""

COLD_CALLS = 10
"""Calls that a process makes at least to sample a cold start."""

MOST_S = 180.0
"""Seconds of a benchmark after which no other process starts, unless their number was given."""

FEWEST_PROCESSES = 3
"""Processes that run even if they take longer than that; two give no useful interval."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a process times on one device.

    Attributes:
        rows: number of rows, with the null row.
        call_s: seconds of a call of the reference, by batch size; a size that is missing counts as a small model.
        tails: calls that are timed one by one for each row that has a budget, and the seconds that they may take.
    """

    rows: int
    call_s: Mapping[int, float]
    tails: Collection[tuple[int, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a benchmark is going to do.

    Attributes:
        settings: its settings, with fewer processes if those take too long.
        remaining_s: seconds that it will take from now on.
        process_s: seconds that one process will take.
        text: one line that says so, such as `about 45 s: 10 processes x 12 variants; --processes 1: 8 s`.
    """

    settings: BenchSettings
    remaining_s: float
    process_s: float
    text: str


def estimate(works: Sequence[Work], settings: BenchSettings) -> Estimate:
    """Estimate a benchmark; if the number of processes was not given, choose one that takes at most three minutes."""
    fitted = _within_time(works, settings) if works and settings.more_processes else settings
    return Estimate(
        settings=fitted,
        remaining_s=estimate_s(works, fitted) - PREPARATION_S,
        process_s=_process_s(works, fitted),
        text=_describe(works, fitted, shortened(works, settings, fitted.processes)),
    )


def estimate_s(works: Sequence[Work], settings: BenchSettings) -> float:
    """Return the expected duration in seconds, without the programs of `--runtimes` and the additional processes."""
    if settings.processes == 1:
        return PREPARATION_S + _rows_s(works, settings)
    return PREPARATION_S + settings.processes * _process_s(works, settings)


def estimate_sets(set_s: float, settings: BenchSettings, fewest: int) -> Estimate:
    """Estimate a comparison of environments from its first set of processes, which took `set_s` seconds."""
    most = min(settings.processes, max(int(MOST_S / set_s), FEWEST_PROCESSES))
    least = min(fewest, most)
    open_ended = most > least
    shortest, longest = _rounded(least * set_s), _rounded(most * set_s)
    duration = shortest if shortest == longest else f"{shortest} to {longest}"
    return Estimate(
        settings=replace(settings, processes=most),
        remaining_s=(most - 1) * set_s,
        process_s=set_s,
        text=f"about {duration}: {least}"
        f"{f' to {most}' if open_ended else ''} sets of processes"
        f"{f', until every interval is within {settings.target * 100:.2g} %' if open_ended else ''}",
    )


def _within_time(works: Sequence[Work], settings: BenchSettings) -> BenchSettings:
    most = max(int((MOST_S - PREPARATION_S) / _process_s(works, settings)), FEWEST_PROCESSES)
    processes = min(settings.processes, most)
    return replace(settings, processes=processes, more_processes=min(settings.more_processes, max(most - processes, 0)))


def _process_s(works: Sequence[Work], settings: BenchSettings) -> float:
    """Return the seconds of a fresh process on each device."""
    cold_s = COLD_CALLS * sum(min(work.call_s.values(), default=0.0) for work in works)
    return PROCESS_S * len(works) + cold_s + _rows_s(works, settings)


def _rows_s(works: Sequence[Work], settings: BenchSettings) -> float:
    """Return the seconds that one process spends on checking and timing all rows."""
    places = len(settings.threads) * len(settings.batches)
    return len(settings.threads) * sum(
        work.rows * _row_s(work.call_s.get(batch, 0.0), settings.rounds, work.rows * places)
        + sum(min(calls * work.call_s.get(batch, 0.0), most_s) for calls, most_s in work.tails)
        for work in works
        for batch in settings.batches
    )


def _row_s(call_s: float, rounds: int | None, parts: int) -> float:
    """Return the seconds for one row at one batch size, whose share of the time for rounds is one of `parts`."""
    block_s = max(BLOCK_S, call_s * (1 + min(WARM_IN_CALLS, 1 + int(0.01 / max(call_s, 1e-9)))))
    adaptive_s = max(min(FIRST_LOOK * block_s, ROUNDS_TIME_S / parts), FEWEST_PAIRED_ROUNDS * block_s)
    bindings = 1 if call_s >= SLOW_CALL_S else BINDINGS
    untimed_calls = 2 * bindings + CALIBRATION_TRIALS  # answers before and after, calibration and one call for the tail
    return call_s * untimed_calls + (adaptive_s if rounds is None else rounds * block_s)


def shortened(works: Sequence[Work], settings: BenchSettings, processes: int, rounds: int = FIRST_LOOK) -> str:
    """Say why so few processes run or ran, and so few rounds in one of them; empty if nothing was cut."""
    cut = []
    if processes < settings.processes:
        cut.append(f"{processes} processes instead of {settings.processes}")
    if settings.rounds is None and rounds < FIRST_LOOK:
        cut.append(f"{rounds} rounds in a process instead of {FIRST_LOOK}")
    return f"{' and '.join(cut)}, since {_slowest(works)}" if cut else ""


def _describe(works: Sequence[Work], settings: BenchSettings, fewer: str) -> str:
    variants = f"{sum(work.rows - 1 for work in works)} variants"  # the null row is a copy of the reference
    if len(settings.batches) > 1:
        variants += f" x {len(settings.batches)} batch sizes"
    if len(settings.threads) > 1:
        variants += f" x {len(settings.threads)} thread counts"
    duration = _rounded(estimate_s(works, settings))
    if settings.processes == 1:
        return f"about {duration}: this process only x {variants}"
    many = f"{variants} x {fewer}" if fewer else f"{settings.processes} processes x {variants}"
    if settings.more_processes:
        many += f", and up to {settings.more_processes} more processes until every interval is within 2 %"
    alone = estimate_s(works, replace(settings, processes=1))
    return f"about {duration}: {many}; --processes 1: {_rounded(alone)}"


def _slowest(works: Sequence[Work]) -> str:
    found = [(call_s, batch) for work in works for batch, call_s in work.call_s.items()]
    call_s, batch = max(found, default=(0.0, 0))
    if call_s < LONG_CALL_S:  # another row is slow, or the machine is busy
        return "the time was up"
    seconds = f"{call_s:.1f} s" if call_s >= 1 else f"{call_s * 1e3:.0f} ms"
    return f"a call takes {seconds} at batch {batch}"


def _rounded(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{5 * round(seconds / 5)} s" if seconds >= 20 else f"{seconds:.0f} s"
