"""Work out the models and rows of a request, without running any of the user's code."""

from dataclasses import dataclass
from pathlib import Path

from bench.plan.artifact_file import read_artifact
from bench.plan.own_variants import own_variants
from bench.plan.request import Request
from bench.plan.subject import Subject
from bench.plan.variants import (
    AGAINST,
    ONNX_LEVELS,
    WITHOUT_OUTPUTS,
    Device,
    Variant,
    against_variants,
    at_levels,
    cpu_variants,
    cuda_variants,
)
from export.formats.names import Format
from linreg.config import MODEL_FILE, DeviceChoice
from linreg.errors import LinregError
from linreg.manifest import read_manifest
from linreg.module_card_file import required_card


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The models and rows of a benchmark.

    Attributes:
        subjects: models by name, `model` first; each row must give the outputs of one of them.
        variants: rows by device.
        bundle: folder that artifacts are taken from; None to export all of them.
        provided: bytes of artifacts that are not from the bundle, by the file name of their row.
    """

    subjects: dict[str, Subject]
    variants: dict[Device, list[Variant]]
    bundle: Path | None
    provided: dict[str, bytes]

    @property
    def files(self) -> set[str]:
        """Names of the artifacts of the rows."""
        return {row.file for rows in self.variants.values() for row in rows}

    @property
    def with_tails(self) -> list[str]:
        """Names of the rows whose calls are timed one by one; on CUDA a call returns before its work is done."""
        return [row.name for row in self.variants.get(Device.CPU, []) if row.kind not in WITHOUT_OUTPUTS]


def plan_request(request: Request) -> Plan:
    """Check a request, and return its models and rows.

    Raises:
        ModelError: `against` is a program that is not trusted.
        LinregError: the request contradicts itself, or names something that cannot be timed here.
    """
    _check(request)
    subject, bundle = _subject(request)
    if request.against is not None:
        other = read_artifact(request.against, trust=request.trust)
        levels = request.onnx_optimization
        if len(levels) > 1 or (other.kind is not Format.ONNX and levels != ONNX_LEVELS[:1]):
            raise LinregError(
                f"against: both files run at one level of onnxruntime's graph optimisation, got {', '.join(levels)} "
                f"for {request.against.name}; name one level, and an .onnx file"
            )
        rows = against_variants(other.kind, levels[0])
        return Plan(
            subjects={"model": subject, AGAINST: other.subject},
            variants={Device.CPU: rows},
            bundle=bundle,
            provided={rows[0].file: other.data},
        )
    return Plan(subjects={"model": subject}, variants=_variants(request), bundle=bundle, provided={})


def _check(request: Request) -> None:
    """Refuse settings that would have no effect, or that contradict each other.

    Raises:
        LinregError: the request has such settings, or asks for CUDA on a machine without it.
    """
    if not request.module and (request.arguments or request.state_dict is not None or request.inputs):
        raise LinregError("args, state_dict and inputs apply to your own module, FILE.py:NAME; leave them out")
    if not request.module and request.model is not None and _is_of_module(request.model):
        raise LinregError(
            f"{request.model}: holds a module; add the code that makes it: --module (in Python: module=make_net)"
        )
    if request.module and request.model is not None and (request.state_dict is not None or request.inputs):
        raise LinregError(
            f"state_dict and inputs: {request.model} holds the weights and describes the inputs; leave them out"
        )
    if request.module and request.model is None and not request.inputs:
        raise LinregError(
            "--module: describe its inputs with one --input for each argument, such as x=float32[batch,16]"
        )
    if request.module and (request.against is not None or request.runtimes is not None):
        raise LinregError(
            "against and runtimes need a model of linreg train, and this is your own module; leave them out"
        )
    if request.against is not None and (
        request.compiled or request.variants or request.runtimes is not None or request.device is not DeviceChoice.AUTO
    ):
        raise LinregError("against: times only two artifacts, on the CPU; leave out other rows and devices")
    if request.environments and (
        request.compiled
        or request.variants
        or request.against is not None
        or request.runtimes is not None
        or request.device is not DeviceChoice.AUTO
        or len(request.settings.threads) > 1
        or request.onnx_optimization != ONNX_LEVELS[:1]
    ):
        raise LinregError(
            "environments: the same rows are timed in each, on the CPU, with one number of threads and onnxruntime's "
            "default graph optimisation; leave out other rows, devices, numbers of threads and levels"
        )
    if request.device is DeviceChoice.CUDA:
        from linreg.device import resolve_device

        resolve_device(request.device)
        if request.variants:
            raise LinregError("--variant: custom rows run on the CPU; leave out --device cuda")


def _is_of_module(model: Path) -> bool:
    manifest = read_manifest(model if model.is_dir() else model.parent)
    return manifest is not None and manifest.of_module


def _subject(request: Request) -> tuple[Subject, Path | None]:
    """Return the model to time, and the folder that its artifacts are taken from; None for the user's own module."""
    if request.module and request.model is not None:
        folder = request.model if request.model.is_dir() else request.model.parent
        required_card(folder)
        module, arguments = request.module, request.arguments
        return Subject(path=str(folder / MODEL_FILE), module=module, arguments=arguments, bundle=str(folder)), folder
    if request.module:
        state_dict = "" if request.state_dict is None else str(request.state_dict)
        module, arguments = request.module, request.arguments
        return Subject(path=state_dict, module=module, arguments=arguments, inputs=request.inputs), None
    assert request.model is not None, "a request names a model or a module"
    path = request.model / MODEL_FILE if request.model.is_dir() else request.model
    return Subject(path=str(path)), path.parent


def _variants(request: Request) -> dict[Device, list[Variant]]:
    """Return the rows by device; the user's own rows run on the CPU only."""
    rows = {
        device: at_levels(rows(compiled=request.compiled), request.onnx_optimization)
        for device, rows in ((Device.CPU, cpu_variants), (Device.CUDA, cuda_variants))
        if request.device.value in ("auto", device.value)
    }
    if request.variants:
        rows[Device.CPU] += own_variants(request.variants, taken={row.name for row in rows[Device.CPU]})
    return rows
