"""Prepare a benchmark: put artifacts and expected outputs into a work folder, and find the rows that can run here."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.plan.expected import write_expected
from bench.plan.own_variants import load_factory
from bench.plan.subject import Subject
from bench.plan.variants import NULL, WITHOUT_OUTPUTS, Device, Kind, Origin, Variant
from export.bundle.build import build_files
from export.formats.external_data import SUFFIX, read_external_data
from export.formats.names import Format, file_name, format_of
from export.runners.trust import Trust, trusted_bytes
from export.source.axes import BATCH
from export.source.given_inputs import GivenInputs
from export.source.source import Source
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, ModelError, UntrustedError
from linreg.files import read_bytes, write_atomic
from linreg.inside import file_inside
from linreg.manifest import read_listed
from linreg.state_dict import state_bytes


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The rows that can run (the reference, the null row, the others), and the skipped rows with their reasons."""

    variants: tuple[Variant, ...]
    skipped: tuple[Variant, ...]


def prepare_answers(
    folder: Path, subjects: dict[str, Subject], batches: tuple[int, ...], own: Sequence[GivenInputs] = ()
) -> dict[str, Source]:
    """Write the expected outputs of every subject into the work folder, and return the source of each by name."""
    sources = {name: subject.source(own) for name, subject in subjects.items()}
    for name, source in sources.items():
        if BATCH not in source.sizes():
            raise LinregError(
                "bench: no input has an axis named batch, whose size is varied; name one, such as x=float32[batch,16]"
            )
        write_expected(folder / f"{name}.npz", source, batches)
    return sources


def keep_states(folder: Path, subjects: dict[str, Subject], sources: dict[str, Source]) -> dict[str, Subject]:
    """Save the parameters of every module that has no state_dict, so that all processes load the same ones.

    Otherwise the random parameters of the module could differ between processes, or between numbers of threads.
    """
    kept = dict(subjects)
    for name, subject in subjects.items():
        if subject.module and not subject.path:
            path = folder / f"{name}.pth"
            write_atomic(path, state_bytes(sources[name].module.state_dict()))
            kept[name] = replace(subject, path=str(path))
    return kept


def prepare_devices(
    variants: Mapping[Device, list[Variant]],
    source: Source,
    bundle: Path | None,
    folder: Path,
    *,
    provided: Iterable[str],
    reference: str,
    trust: bool,
) -> dict[Device, Prepared]:
    """Put the artifacts of all devices into the work folder, and separate the rows that can run from those that cannot.

    Args:
        variants: rows by device.
        source: what to export if the bundle lacks an artifact.
        bundle: folder that artifacts are taken from; None if there is no bundle.
        folder: the work folder.
        provided: names of files that are already in the work folder.
        reference: name of the reference row.
        trust: use programs of the bundle that this user did not export, instead of exporting them again.

    Raises:
        LinregError: no row with outputs has the name `reference`, or that row cannot run.
    """
    files: dict[str, Origin | str] = dict.fromkeys(provided, Origin.BUNDLE)
    ready = {}
    for device, rows in variants.items():
        marked = [replace(row, skipped=unavailable(row, device)) for row in rows]
        for row in marked:
            if row.file and not row.skipped and row.kind is not Kind.FACTORY and row.file not in files:
                files[row.file] = _provide(row.file, source, bundle, folder, trust=trust)
        found = [_with_file(row, files.get(row.file)) for row in marked]
        ready[device] = _ordered([_on_device(row, device, folder) for row in found], device, reference)
    return ready


def _with_file(variant: Variant, file: Origin | str | None) -> Variant:
    if variant.skipped or file is None:
        return variant
    return replace(variant, origin=file) if isinstance(file, Origin) else replace(variant, skipped=file)


def _on_device(variant: Variant, device: Device, folder: Path) -> Variant:
    """Skip a row that onnxruntime would run on the CPU; it lists the CUDA provider even if it cannot load it."""
    if device is Device.CPU or variant.skipped or not variant.of_onnxruntime:
        return variant
    from export.runners.onnxruntime import WrongProviderError, onnxruntime_runner

    path = folder / variant.file
    data = read_bytes(path, limit=MAX_STATE_BYTES)
    try:
        onnxruntime_runner(variant.file, data, external=read_external_data(path, data), device=device.value)
    except WrongProviderError as error:
        return replace(variant, skipped=str(error))
    except ModelError:  # the process that times the row reports it
        pass
    return variant


def _ordered(found: list[Variant], device: Device, reference: str) -> Prepared:
    """Put the reference first and its copy second, and separate the rows that cannot run."""
    runnable = [variant for variant in found if not variant.skipped]
    if device is Device.CUDA and not any(variant.kind is not Kind.FLOOR for variant in runnable):
        return Prepared(variants=(), skipped=tuple(found))
    first = next((entry for entry in found if entry.name == reference and entry.kind not in WITHOUT_OUTPUTS), None)
    if first is None or first.skipped:
        names = ", ".join(variant.name for variant in runnable if variant.kind not in WITHOUT_OUTPUTS)
        raise LinregError(
            f"--reference {reference}: {'is not a row' if first is None else first.skipped}; expected one of {names}"
            f"{', or --device cpu' if device is Device.CUDA else ''}"
        )
    others = [variant for variant in runnable if variant is not first]
    return Prepared(
        variants=(first, replace(first, name=NULL), *others),
        skipped=tuple(variant for variant in found if variant.skipped),
    )


def unavailable(variant: Variant, device: Device) -> str:
    """Return why a variant cannot run on this machine; empty if it can."""
    if device is Device.CUDA:
        import torch

        if not torch.cuda.is_available():
            return f"torch {torch.__version__} sees no CUDA device"
        if variant.of_onnxruntime:
            import onnxruntime

            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                return "onnxruntime has no CUDA provider; install onnxruntime-gpu"
    if variant.kind is Kind.FACTORY:
        load_factory(variant.file)
    return ""


def _provide(file: str, source: Source, bundle: Path | None, folder: Path, *, trust: bool) -> Origin | str:
    """Put an artifact into the work folder; return its origin, or the reason why it could not be made."""
    kind = _format(file)
    if bundle is not None and file_inside(bundle, file):
        data = read_listed(bundle, file, limit=MAX_STATE_BYTES)
        with suppress(UntrustedError):
            write_atomic(folder / file, trusted_bytes(kind, file, data, Trust.from_option(trust)))
            if kind is Format.ONNX and (external := read_external_data(bundle / file, data)) is not None:
                write_atomic(folder / f"{file}{SUFFIX}", external.contents)
            return Origin.BUNDLE
    try:
        for name, contents in build_files(source, kind).items():
            write_atomic(folder / name, contents)
    except LinregError as error:
        return f"{error}"
    return Origin.REBUILT


def _format(file: str) -> Format:
    found = format_of(file)
    if found is None or found[1] is not None:
        names = ", ".join(file_name(kind) for kind in Format)
        raise ModelError(f"{file}: is not an artifact that can be timed; expected one of {names}")
    return found[0]
