"""Make the tables of a report as text cells, for the terminal, a pull request or a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.analysis.parts import Comparison, LifecycleRow, Row, RuntimeRow, Status
from bench.analysis.statistics import Ratio
from bench.plan.variants import FLOOR, NULL, ONNX_LEVELS
from bench.report.gate import Change
from bench.report.numbers import duration, number
from bench.report.order import by_ratio, fastest, runtimes_by_ratio
from bench.report.report import Report

HEADINGS = ("variant", "median", "ratio", "95 % interval", "verdict", "error / allowed", "bit-equal")
NARROW_HEADINGS = (*HEADINGS[:5], "outputs")
IDENTICAL = "identical"
FASTEST = "fastest"
"""The verdict shown for the fastest row."""

LIFECYCLE_HEADINGS = ("variant", "import", "load", "1st call", "2nd", "3rd", "steady after", "memory", "break-even")
CHANGE_HEADINGS = ("variant", "batch x threads", "new ratio / old", "95 % interval", "gate")
MOST_NAMED = 3
RUNTIME_HEADINGS = (
    "runtime",
    "version",
    "batch",
    "per call",
    "million rows/s",
    "ratio",
    "95 % interval",
    "verified by",
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text.

    Attributes:
        title: text above the table.
        headings: one heading per column.
        rows: rows of cells; each row has as many cells as there are headings.
        left: indexes of the columns that are aligned left; the others are aligned right.
        struck: indexes of the rows whose first cell is struck through, since the variant has wrong outputs.
        bold: indexes of the rows whose first cell is bold.
        narrow: the same rows in fewer columns, for a narrow terminal; it may have a narrower form too. None if all
            columns are always shown.
        below: sentences about the rows, printed below the table.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    left: frozenset[int] = frozenset({0})
    struck: frozenset[int] = frozenset()
    bold: frozenset[int] = frozenset()
    narrow: "Table | None" = None
    below: tuple[str, ...] = ()


def report_tables(report: Report) -> list[Table]:
    """Return the tables of a report; empty tables are left out."""
    found = [comparison_table(report, comparison) for comparison in report.comparisons]
    found.append(lifecycle_table(report))
    found.append(runtimes_table(report))
    return [table for table in found if table.rows]


def where(comparison: Comparison) -> str:
    """Return the batch size, threads and device of a comparison in words."""
    return f"batch {comparison.batch}, {budget(comparison)}, {comparison.device.upper()}"


def budget(comparison: Comparison) -> str:
    """Return the number of threads of a comparison in words; both numbers if ONNX Runtime has its own."""
    return _threads(comparison.threads, comparison.onnxruntime_threads)


def cold_budget(report: Report) -> str:
    """Return the number of threads of the fresh processes in words; empty if it is not known."""
    found = {row.library: row.threads for row in report.lifecycle if row.threads is not None}
    numbers = [found[library] for library in ("torch", "onnxruntime") if library in found]
    return _threads(numbers[0], numbers[-1]) if numbers else ""


def _threads(count: int, onnxruntime: int) -> str:
    text = f"{count} thread{'' if count == 1 else 's'}"
    return text if onnxruntime == count else f"{text} (onnxruntime {onnxruntime})"


def unnamed_level(comparison: Comparison) -> str:
    """Return the level of graph optimisation of the rows that do not end with it: both rows of `--against`."""
    return next(
        (
            f"; graph optimisation: {level}"
            for row in comparison.rows
            if (level := row.onnx_optimization) and level != ONNX_LEVELS[0] and not row.name.endswith(f"-{level}")
            if row.name != NULL
        ),
        "",
    )


def comparison_table(report: Report, comparison: Comparison) -> Table:
    """Return the table of one comparison in order of ratio; variants with wrong outputs come last, without a time."""
    rows = by_ratio(comparison)
    best = fastest(comparison)
    name = "" if best is None else best.name
    places = dict(enumerate(rows))
    table = Table(
        title=f"{where(comparison)}, {report.scope}; ratios to {report.reference}{unnamed_level(comparison)}",
        headings=HEADINGS,
        rows=[[*_timing(row), row.reason or _verdict(row, name), *_errors(row)] for row in rows],
        left=frozenset({0, 4, 6}),
        struck=frozenset(place for place, row in places.items() if row.status is Status.WRONG),
        bold=frozenset(place for place, row in places.items() if row.name == name),
    )
    narrow = replace(
        table,
        headings=NARROW_HEADINGS,
        rows=[[*_timing(row), _verdict(row, name), _outputs(row)] for row in rows],
        left=frozenset({0, 4, 5}),
        below=tuple(row.reason for row in rows if row.status is Status.WRONG),
    )
    narrowest = replace(
        narrow,
        headings=NARROW_HEADINGS[:-1],
        rows=[row[:-1] for row in narrow.rows],
        left=frozenset({0, 4}),
        below=(*_outputs_of_all(rows), *narrow.below),
    )
    return replace(table, narrow=replace(narrow, narrow=narrowest))


def _timing(row: Row) -> list[str]:
    """Return the cells that both forms of a comparison begin with."""
    return [
        row.name,
        "" if row.median_s is None else duration(row.median_s),
        number(row.ratio.estimate) if row.ratio else "1" if row.is_reference else "",
        interval(row.ratio),
    ]


def _verdict(row: Row, best: str) -> str:
    verdict = FASTEST if row.name == best else row.verdict or ""
    return verdict + (" (launch-bound)" if row.launch_bound else "")


def _errors(row: Row) -> list[str]:
    return [
        "" if row.worst_error is None else f"{row.worst_error:.2f}",
        {True: "yes", False: "no", None: ""}[row.bytes_equal],
    ]


def _outputs(row: Row) -> str:
    """Return in words how a row's outputs differ from eager's."""
    if row.status is Status.WRONG:
        return "wrong"
    return {True: IDENTICAL, False: "within tolerance", None: ""}[row.bytes_equal]


def _outputs_of_all(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a sentence that replaces the last column of the narrow form: how the outputs of all rows differ."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if words := _outputs(row):
            names.setdefault(words, []).append(row.name)
    parts = [f"{words}: {', '.join(found)}" for words, found in names.items() if words != IDENTICAL]
    if IDENTICAL in names:
        parts.append(f"the others {IDENTICAL}" if parts else f"all {IDENTICAL}")
    return (f"outputs: {'; '.join(parts)}",) if parts else ()


def interval(ratio: Ratio | None) -> str:
    """Return the interval of a ratio as text; empty if there is no ratio."""
    return "" if ratio is None else f"{number(ratio.low)} to {number(ratio.high)}"


def skipped(report: Report) -> list[str]:
    """Return one line for each device and reason for skipping; more than three variants are counted, not named."""
    names: dict[tuple[str, str], dict[str, None]] = {}
    for comparison in report.comparisons:
        for row in comparison.rows:
            if row.status is Status.SKIPPED:
                names.setdefault((comparison.device, row.reason), {})[row.name] = None
    return [
        f"{len(found)} {device.upper()} rows skipped: {reason}"
        if len(found) > MOST_NAMED
        else f"{device}: {', '.join(found)}: skipped: {reason}"
        for (device, reason), found in names.items()
    ]


def explanation(report: Report) -> str:
    """Explain the rows `null` and `floor`; return an empty string if there is neither."""
    names = {row.name for comparison in report.comparisons for row in comparison.rows if row.status is Status.TIMED}
    meanings = {NULL: "a second copy of the reference, shows the noise", FLOOR: "an empty call"}
    return "; ".join(f"{name}: {meaning}" for name, meaning in meanings.items() if name in names)


def lifecycle_table(report: Report) -> Table:
    """Return the table of start-up costs, measured in processes that loaded the variant before any other."""
    rows = [lifecycle_cells(row) for row in report.lifecycle]
    title = ", ".join(filter(None, ["from the start of a fresh process", cold_budget(report)]))
    note = not_started(report)
    return Table(title=title, headings=LIFECYCLE_HEADINGS, rows=rows, below=(note,) if note else ())


def not_started(report: Report) -> str:
    """Say which variants no process loaded first, and how many processes load each once; empty if there are none."""
    wrong = {row.name for own in report.comparisons for row in own.rows if row.status is Status.WRONG}
    names = [name for name in report.lifecycle_missing if name not in wrong]
    count = report.settings.processes_run + len(report.lifecycle_missing)
    return f"not measured: {', '.join(names)}; --processes {count} measures all" if names else ""


def lifecycle_cells(row: LifecycleRow) -> list[str]:
    """Return the cells of one row of the lifecycle table."""
    steady, ahead = row.calls_until_steady, row.break_even_calls
    return [
        row.name,
        duration(row.import_s),
        duration(row.load_s),
        *(duration(seconds) for seconds in row.calls_s),
        "not yet" if steady is None else _calls(steady),
        f"{row.memory_bytes / 2**20:.0f} MiB",
        "" if ahead is None else ahead if isinstance(ahead, str) else "at once" if ahead == 0 else _calls(ahead),
    ]


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def runtimes_table(report: Report) -> Table:
    """Return the table of runtimes that need no Python; it has no rows if none was timed."""
    rows = [runtime_cells(row) for row in runtimes_by_ratio(report)]
    title = "the same bundle without Python; ratios to Python's onnxruntime"
    return Table(title=title, headings=RUNTIME_HEADINGS, rows=rows, left=frozenset({0, 1, 7}))


def runtime_cells(row: RuntimeRow) -> list[str]:
    """Return the cells of one runtime at one batch size."""
    millions = row.rows_per_s / 1e6
    return [
        row.name,
        row.version,
        str(row.batch),
        duration(row.median_s),
        f"{millions:.3g}" if millions < 1000 else f"{millions:,.0f}",
        number(row.ratio.estimate) if row.ratio else "1",
        interval(row.ratio),
        row.proof.partition(": ")[2],
    ]


def changes_table(changes: Sequence[Change]) -> Table:
    """Return the table of changes between two reports, one row per change; the slowest ends each comparison."""
    rows = [
        [
            change.name,
            f"{change.device} {change.batch} x {change.threads}",
            number(change.ratio.estimate),
            interval(change.ratio),
            "slower" if change.slower else "",
        ]
        for change in sorted(changes, key=lambda one: (one.device, one.threads, one.batch, one.ratio.estimate))
    ]
    title = "change of each ratio to the reference"
    return Table(title=title, headings=CHANGE_HEADINGS, rows=rows, left=frozenset({0, 1, 4}))
