"""Benchmark a bundle, a module or two artifacts: what is timed, where the report goes, how it is shown."""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.commands.bundle import find_model, open_model, require
from linreg.commands.self_check import last_self_check
from linreg.commands.terminal import clean, note, progress, say_lines, show
from linreg.config import MAX_STATE_BYTES, MODEL_FILE, DeviceChoice
from linreg.errors import LinregError, ModelError

if TYPE_CHECKING:
    from bench.subject import Subject
    from export.formats import Format

REPORT_FILE = "bench.json"
PAGE_FILE = "report.html"
GENERATOR = b"linreg"
"""In the head of every page and figure that is written here."""

LONGEST_HEAD = 4096


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be timed.

    Attributes:
        model: a bundle or .pth; None takes the default bundle.
        module: `FILE.py:NAME` instead; empty for a model of ours.
        state_dict: of the module.
        inputs: of the module.
        batches: rows of input.
        threads: of torch and onnxruntime.
        processes: at the most.
        rounds: in each process.
        target: stop once every interval is within this part.
        reference: the row that ratios refer to; None takes the usual one.
        device: where the calls run.
        compiled: time torch.compile too.
        against: an artifact of another bundle.
        trust: load programs that this user did not make.
        runtimes: the folder of programs without Python that are timed as well.
        command: what was typed.
    """

    model: Path | None = None
    module: str = ""
    state_dict: Path | None = None
    inputs: tuple[str, ...] = ()
    batches: tuple[int, ...] = (1, 4096)
    threads: tuple[int, ...] = (1,)
    processes: int = 10
    rounds: int = 100
    target: float = 0.01
    reference: str | None = None
    device: DeviceChoice = DeviceChoice.AUTO
    compiled: bool = False
    against: Path | None = None
    trust: bool = False
    runtimes: Path | None = None
    command: tuple[str, ...] = ("linreg", "bench")

    @property
    def row(self) -> str:
        """The row that ratios refer to."""
        from bench.variants import AGAINST, REFERENCE

        return self.reference or (REFERENCE if self.against is None else AGAINST)


def check_output(
    request: Request, output: Path | None, plots: Path | None, compare: Path | None, *, force: bool
) -> Path | None:
    """Where the report goes; None where it is only shown. Seen before the work.

    Raises:
        LinregError: a file there is somebody else's.
    """
    from linreg.files import ensure_folder, read_json

    if plots is not None:
        ensure_folder(plots)
    folder = output
    if output is None:
        if request.module or request.against is not None:
            return None
        path = find_model(request.model)
        folder = path if path.is_dir() else path.parent
    assert folder is not None
    ensure_folder(folder)
    report = folder / REPORT_FILE
    if compare is not None and report.exists() and report.samefile(compare):
        note(f"{report} is what this run is compared with: it stays as it is; use -o for the new one")
        return None
    if force:
        return folder
    if report.exists():
        try:
            ours = report.is_file() and "comparisons" in read_json(report)
        except ModelError:
            ours = False
        if not ours:
            raise LinregError(f"{report}: is there and was not written by linreg; move it away, or use --force")
    for path in [folder / PAGE_FILE, *(plots or folder).glob("*.svg" if plots else PAGE_FILE)]:
        if path.exists() and GENERATOR not in path.read_bytes()[:LONGEST_HEAD]:
            raise LinregError(f"{path}: is there and was not written by linreg; move it away, or use --force")
    return folder


def measure(request: Request) -> dict[str, Any]:
    """Time what was asked, and give the report as JSON values.

    Raises:
        MismatchError: the reference row answers wrongly.
        LinregError: it cannot be timed.
    """
    from bench.benchmark import BenchSettings, run_benchmark
    from bench.job import Device
    from bench.report import to_json
    from bench.variants import AGAINST, against_variants, cpu_variants, cuda_variants

    subjects, bundle = _subject(request)
    provided = {}
    if request.against is not None:
        kind, data = _other(request.against, trust=request.trust)
        rows = against_variants(kind)
        provided = {rows[0].file: data}
        subjects[AGAINST] = _other_subject(request.against)
        variants = {Device.CPU: rows}
    else:
        variants = {
            device: rows(compiled=request.compiled)
            for device, rows in ((Device.CPU, cpu_variants), (Device.CUDA, cuda_variants))
            if request.device.value in ("auto", device.value)
        }
    runtimes = None if request.runtimes is None else _time_runtimes(request.runtimes, bundle, request)
    settings = BenchSettings(
        batches=request.batches,
        threads=request.threads,
        rounds=request.rounds,
        processes=request.processes,
        target=request.target,
        reference=request.row,
    )
    # What a user's module prints is no part of the result.
    with redirect_stdout(sys.stderr), progress("timing, by process", request.processes) as done:
        report = run_benchmark(subjects, variants, settings, bundle=bundle, provided=provided, progress=done)
    return to_json(report, command=request.command, self_check=last_self_check(), runtimes=runtimes)


def _time_runtimes(deploy: Path, bundle: Path | None, request: Request) -> dict[str, Any]:
    """Prove and time the programs of deploy/ on a bundle.

    Raises:
        MismatchError: one of them answers wrongly.
        LinregError: there is no bundle with vectors, or a program fails.
    """
    from bench.report import runtimes_to_json
    from bench.runtimes import BATCHES, LEAST_PROCESSES, find_runtimes, time_runtimes

    if not (deploy / "standalone-c").is_dir():
        raise LinregError(f"--runtimes {deploy}: expected the folder deploy of linreg's repository")
    if bundle is None or not (bundle / "test_data_set_0").is_dir():
        raise LinregError(f"--runtimes: needs a bundle with test vectors; run: linreg export -m {bundle or 'BUNDLE'}")
    count = max(request.processes, LEAST_PROCESSES)
    with tempfile.TemporaryDirectory(prefix="linreg-runtimes-") as work:
        found, missing = find_runtimes(deploy, bundle, Path(work), trust=request.trust)
        with progress("timing runtimes", count * len(BATCHES) * (len(found) + 1)) as done:
            rows = time_runtimes(found, bundle, processes=count, progress=done)
    return runtimes_to_json(rows, missing)


def _subject(request: Request) -> "tuple[dict[str, Subject], Path | None]":
    """The model that is timed, and the bundle where it has one."""
    from bench.subject import Subject

    if request.device is DeviceChoice.CUDA:
        from linreg.inference import resolve_device

        resolve_device(request.device)
    if not request.module:
        checkpoint = open_model(request.model)
        _note_foreign(checkpoint.path.parent)
        return {"model": Subject(path=str(checkpoint.path))}, checkpoint.path.parent
    if not request.inputs:
        raise LinregError("--module: say what it takes, one --input for each argument, such as x=float32[batch,16]")
    note(f"running {request.module.rpartition(':')[0]}")
    state = "" if request.state_dict is None else str(request.state_dict)
    return {"model": Subject(path=state, module=request.module, inputs=request.inputs)}, None


def _note_foreign(bundle: Path) -> None:
    """Say which programs of a bundle are not timed themselves, since this user did not make them."""
    from export.formats import PROGRAMS, RUNTIME_FORMATS, file_name
    from export.trust import is_ours
    from linreg.files import read_bytes

    for kind in RUNTIME_FORMATS:
        path = bundle / file_name(kind)
        if kind in PROGRAMS and path.is_file() and not is_ours(read_bytes(path, limit=MAX_STATE_BYTES)):
            note(f"{path}: is a program that this user did not export; its row is the same made anew from the weights")


def _other(path: Path, *, trust: bool) -> "tuple[Format, bytes]":
    """The artifact that a model is timed against; a program among them must be trusted."""
    from export.formats import PROGRAMS, RUNTIME_FORMATS, format_of
    from export.trust import is_ours
    from linreg.files import read_bytes

    require(path)
    found = format_of(path.name)
    if found is None or found[0] not in RUNTIME_FORMATS or found[1] is not None:
        raise LinregError(f"--against {path}: expected an artifact of another bundle, such as other/model.onnx")
    data = read_bytes(path, limit=MAX_STATE_BYTES)
    if found[0] in PROGRAMS and not trust and not is_ours(data):
        raise ModelError(f"{path}: is a program that this user did not export; if you trust it, add --trust")
    return found[0], data


def _other_subject(path: Path) -> "Subject":
    """The model whose answers that artifact must give: that of its own bundle."""
    from bench.subject import Subject

    if not (path.parent / MODEL_FILE).is_file():
        raise LinregError(f"--against {path}: there is no {MODEL_FILE} beside it, so its answers could not be checked")
    return Subject(path=str(path.parent))


def show_report(report: Mapping[str, Any], *, markdown: bool) -> None:
    """The tables on stdout, or Markdown; what was not run, and what the machine did meanwhile, on stderr."""
    from bench import tables

    if markdown:
        say_lines(tables.to_markdown(report))
        return
    for comparison in report["comparisons"]:
        if any(row["processes"] for row in comparison["rows"]):
            show(tables.comparison_table(report, comparison, clean))
    if report["lifecycle"]:
        show(tables.lifecycle_table(report, clean))
    if report["runtimes"]:
        show(tables.runtimes_table(report, clean))
        for name, why in report["runtimes"]["missing"].items():
            note(f"{name}: skipped: {why}")
    for line in tables.skipped(report):
        note(line)
    quality = report["quality"]
    note(
        f"{report['scope']}, {quality['duration_s']:.0f} s; the system took the processor away "
        f"{quality['preempted']} times, the host {quality['stolen_s']:.1f} s of it"
    )


def write_files(report: Mapping[str, Any], folder: Path | None, plots: Path | None) -> list[Path]:
    """Write the report, the page and the plots, where they are wanted; returns what was written."""
    from bench.page import to_page
    from bench.report import write_report
    from linreg.files import write_atomic

    written = []
    if folder is not None:
        write_report(folder / REPORT_FILE, report)
        write_atomic(folder / PAGE_FILE, to_page(report).encode())
        written += [folder / REPORT_FILE, folder / PAGE_FILE]
    if plots is not None:
        from bench.plots import draw_plots

        for name, data in draw_plots(report).items():
            write_atomic(plots / name, data)
            written.append(plots / name)
    return written
