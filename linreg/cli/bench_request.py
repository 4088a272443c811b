"""What `linreg bench` times: a bundle, a module of the user's own, or two artifacts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.bundle import open_model, require, show_notes
from linreg.cli.self_check import last_self_check
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, progress
from linreg.config import BENCH_DEFAULTS, MAX_STATE_BYTES, BenchSettings, DeviceChoice
from linreg.errors import LinregError

if TYPE_CHECKING:
    from bench.plan.subject import Subject
    from bench.plan.variants import Variant
    from bench.worker.job import Device


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be timed.

    Attributes:
        model: a bundle or .pth; None takes the default bundle.
        module: `FILE.py:NAME` instead; empty for a model of ours.
        state_dict: of the module.
        inputs: of the module.
        settings: how much is measured.
        device: where the calls run.
        compiled: time torch.compile too.
        variants: rows of the user's own, `FILE.py:NAME` each.
        against: an artifact of another bundle.
        trust: run programs that this user did not make.
        runtimes: the folder of programs without Python that are timed as well.
        command: what was typed.
    """

    model: Path | None = None
    module: str = ""
    state_dict: Path | None = None
    inputs: tuple[str, ...] = ()
    settings: BenchSettings = BENCH_DEFAULTS
    device: DeviceChoice = DeviceChoice.AUTO
    compiled: bool = False
    variants: tuple[str, ...] = ()
    against: Path | None = None
    trust: bool = False
    runtimes: Path | None = None
    command: tuple[str, ...] = ("linreg", "bench")


def measure(request: Request) -> dict[str, Any]:
    """Time what was asked, and give the report as JSON values.

    Raises:
        MismatchError: the reference row answers wrongly.
        LinregError: it cannot be timed.
    """
    from bench.benchmark import run_benchmark
    from bench.plan.artifact_file import read_artifact
    from bench.plan.variants import AGAINST, against_variants
    from bench.report.schema import to_json
    from bench.worker.job import Device

    subjects, bundle = _subject(request)
    provided = {}
    variants = _variants(request)
    if request.against is not None:
        require(request.against)
        other = read_artifact(request.against, trust=request.trust)
        rows = against_variants(other.kind)
        provided = {rows[0].file: other.data}
        subjects[AGAINST] = other.subject
        variants = {Device.CPU: rows}
    runtimes = None if request.runtimes is None else _time_runtimes(request.runtimes, bundle, request)
    settings = request.settings
    with (
        prints_on_stderr(),
        progress("timing, by process", settings.processes + settings.more_processes) as done,
    ):
        report = run_benchmark(
            subjects, variants, settings, bundle=bundle, provided=provided, trust=request.trust, progress=done
        )
    return to_json(report, command=request.command, self_check=last_self_check(), runtimes=runtimes)


def _variants(request: Request) -> "dict[Device, list[Variant]]":
    """The rows of each device; those of the user's own make a CPU runner."""
    from bench.plan.variants import cpu_variants, cuda_variants, own_variants
    from bench.worker.job import Device

    variants = {
        device: rows(compiled=request.compiled)
        for device, rows in ((Device.CPU, cpu_variants), (Device.CUDA, cuda_variants))
        if request.device.value in ("auto", device.value)
    }
    if request.variants:
        if Device.CPU not in variants:
            raise LinregError("--variant: rows of your own run on the CPU; leave out --device cuda")
        variants[Device.CPU] += own_variants(request.variants, taken={row.name for row in variants[Device.CPU]})
    return variants


def _time_runtimes(deploy: Path, bundle: Path | None, request: Request) -> dict[str, Any]:
    """Prove and time the programs of deploy/ on a bundle.

    Raises:
        MismatchError: one of them answers wrongly.
        LinregError: there is no bundle with vectors, or a program fails.
    """
    from bench.programs.runtimes import BATCHES, LEAST_PROCESSES, copy_checked, find_runtimes, time_runtimes
    from bench.report.schema import runtimes_to_json
    from linreg.folders import work_folder

    if not (deploy / "standalone-c").is_dir():
        raise LinregError(f"--runtimes {deploy}: expected the folder deploy of linreg's repository")
    if bundle is None or not (bundle / "test_data_set_0").is_dir():
        raise LinregError(f"--runtimes: needs a bundle with test vectors; run: linreg export -m {bundle or 'BUNDLE'}")
    count = max(request.settings.processes, LEAST_PROCESSES)
    with work_folder("linreg-runtimes-") as work:
        copy = copy_checked(bundle, work)
        found, missing = find_runtimes(deploy, copy, work, trust=request.trust)
        with progress("timing runtimes", count * len(BATCHES) * (len(found) + 1)) as done:
            rows = time_runtimes(found, copy, processes=count, progress=done)
    return runtimes_to_json(rows, missing)


def _subject(request: Request) -> "tuple[dict[str, Subject], Path | None]":
    """The model that is timed, and the bundle where it has one."""
    from bench.plan.subject import Subject

    if request.device is DeviceChoice.CUDA:
        from linreg.inference import resolve_device

        resolve_device(request.device)
    if not request.module:
        checkpoint = open_model(request.model)
        if not request.trust:
            _note_foreign(checkpoint.path.parent)
        return {"model": Subject(path=str(checkpoint.path))}, checkpoint.path.parent
    if not request.inputs:
        raise LinregError("--module: say what it takes, one --input for each argument, such as x=float32[batch,16]")
    _note_module(request.module, request.state_dict)
    state = "" if request.state_dict is None else str(request.state_dict)
    return {"model": Subject(path=state, module=request.module, inputs=request.inputs)}, None


def _note_module(place: str, state_dict: Path | None) -> None:
    """Say which file is run, what is done to the module that it makes, and what to the file of its parameters.

    Raises:
        LinregError: it makes none that can be timed, or the parameters are not its own.
    """
    from export.source.place import find_place
    from export.source.user_module import MODULE, load_file_into, make_module

    note(f"running {find_place(place, '--module', MODULE).file}")
    with prints_on_stderr():
        made = make_module(place)
        for line in made.notes:
            note(line)
        if state_dict is not None:
            show_notes(state_dict, load_file_into(made.module, state_dict))


def _note_foreign(bundle: Path) -> None:
    """Say which programs of a bundle are not timed themselves, since this user did not make them."""
    from export.bundle.load import may_run
    from export.formats.names import RUNTIME_FORMATS, file_name
    from linreg.manifest import read_listed

    for kind in RUNTIME_FORMATS:
        path = bundle / file_name(kind)
        if path.is_file() and not may_run(kind, read_listed(bundle, path.name, limit=MAX_STATE_BYTES), trust=False):
            note(
                f"{path}: is a program that this user did not export; its row is the same made anew from the weights; "
                "if you trust it, add --trust"
            )
