"""Write and show the report of `linreg bench`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.plan.request import Request
from export.source.axes import in_words
from linreg.cli.bench_usage import writes_into_bundle
from linreg.cli.bundle import find_model
from linreg.cli.terminal import note, say, say_lines, say_waiting, say_wrapped, show
from linreg.config import MAX_JSON_BYTES, MAX_STATE_BYTES, BenchSettings
from linreg.errors import LinregError, ModelError

if TYPE_CHECKING:
    from bench.report.report import Report
    from linreg.changes import Changes

REPORT_FILE = "bench.json"
PAGE_FILE = "report.html"
GENERATOR = b"linreg"
"""Contained in the head of every page and figure that linreg writes."""

FOREIGN = "already exists, and was not written by linreg; move it away, or use --force"
LONGEST_HEAD = 4096


def check_output(
    request: Request, output: Path | None, plots: Path | None, compare: Path | None, *, force: bool
) -> Path | None:
    """Check the folder for the report before timing starts, and return it; return None if no report will be written.

    Raises:
        LinregError: a folder is not writable, or holds a file that linreg did not write.
    """
    from linreg.folders import ensure_folder

    if plots is not None:
        ensure_folder(plots, "--plots")
        if not force:
            _refuse_foreign(plots, _pictures(request.settings))
    folder = output
    if output is None:
        if not writes_into_bundle(request):
            return None
        path = find_model(request.model)
        folder = path if path.is_dir() else path.parent
    assert folder is not None
    ensure_folder(folder)
    report = folder / REPORT_FILE
    if compare is not None and report.exists() and report.samefile(compare):
        note(f"{report} is the report to compare with, so it is not overwritten; use -o to write the new one")
        return None
    if not force:
        _refuse_foreign(folder, [PAGE_FILE])
        _refuse_foreign_report(folder)
    return folder


def _pictures(settings: BenchSettings) -> list[str]:
    """Return the file names of all plots that may be drawn."""
    from bench.plan.variants import Device
    from bench.report.plot_data import ENDINGS, LIFECYCLE_NAME, latency_name, ratios_name

    names = [LIFECYCLE_NAME]
    for device in Device:
        for threads in settings.threads:
            names += [latency_name(device, threads)]
            names += [ratios_name(device, threads, batch) for batch in settings.batches]
    return [f"{name}.{kind}" for name in names for kind in ENDINGS]


def _refuse_foreign(folder: Path, names: Iterable[str]) -> None:
    """Refuse to overwrite links, and to overwrite pages and pictures that linreg did not write."""
    from linreg.inside import file_inside, read_inside

    for name in names:
        if folder.is_dir() and file_inside(folder, name):
            data = read_inside(folder, name, limit=MAX_STATE_BYTES)
            if GENERATOR not in data[:LONGEST_HEAD]:
                raise LinregError(f"{folder / name}: {FOREIGN}")


def _refuse_foreign_report(folder: Path) -> None:
    """Refuse to overwrite a bench.json that linreg did not write."""
    from linreg.inside import file_inside, read_inside
    from linreg.json_files import parse_json

    path = folder / REPORT_FILE
    if not folder.is_dir() or not file_inside(folder, REPORT_FILE):
        return
    data = read_inside(folder, REPORT_FILE, limit=MAX_JSON_BYTES)
    try:
        ours = "comparisons" in parse_json(path, data)
    except ModelError:
        ours = False
    if not ours:
        raise LinregError(f"{path}: {FOREIGN}")


def show_report(report: "Report", *, markdown: bool) -> None:
    """Print the report on stdout, as tables below the answer, or as Markdown.

    With tables, also print on stderr what was skipped and what disturbed the measurement.
    """
    from bench.report.findings import smallest_difference
    from bench.report.markdown import to_markdown
    from bench.report.order import answers
    from bench.report.tables import HEADINGS, explanation, report_tables
    from bench.report.terminal import TerminalTable

    if markdown:
        say_lines(to_markdown(report))
        return
    if report.environments is None:  # whose answer comes last
        for line in answers(report):
            say_wrapped(line)
    comparisons = [table for table in report_tables(report) if table.headings == HEADINGS]
    for table in comparisons:
        show(TerminalTable(table))
    for line in (explanation(report), smallest_difference(report)):
        if line:
            say(line)
    for table in report_tables(report)[len(comparisons) :]:
        show(TerminalTable(table))
    _note_conditions(report)


def _note_conditions(report: "Report") -> None:
    """Print on stderr what was skipped, and what disturbed the measurement."""
    from bench.report.tables import skipped

    if report.runtimes:
        for name, why in report.runtimes.missing.items():
            note(f"{name}: skipped: {why}")
    for line in skipped(report):
        note(line)
    if report.sizes:
        note(f"timed at {in_words(report.sizes)}")
    quality = report.quality
    if quality.shortened:
        note(quality.shortened)
    note(
        f"{report.scope}, {quality.duration_s:.0f} s; {quality.preempted} preemptions; "
        f"{quality.stolen_s:.1f} s stolen by the host"
    )


@contextmanager
def report_changes(folder: Path | None, *, command: str, wait: bool = False) -> "Iterator[Changes | None]":
    """Lock the folder of the report while its model is timed; yield None if there is no folder.

    Raises:
        LinregError: another command is writing there.
    """
    from linreg.changes import changing

    if folder is None:
        yield None
        return
    with changing(folder, command=command, wait=wait, on_wait=say_waiting) as changes:
        yield changes


def write_files(report: "Report", changes: "Changes | None", plots: Path | None) -> list[Path]:
    """Write the report and the HTML page through `changes`, write the plots to their folder, and return all paths."""
    from bench.report.page import to_page
    from linreg.files import write_atomic

    written = []
    if changes is not None:
        changes.stage(REPORT_FILE, report.to_json().encode())
        changes.stage(PAGE_FILE, to_page(report).encode())
        changes.commit()
        written += [changes.folder / REPORT_FILE, changes.folder / PAGE_FILE]
    if plots is not None:
        from bench.report.plots import draw_plots

        for name, data in draw_plots(report).items():
            write_atomic(plots / name, data)
            written.append(plots / name)
    return written
