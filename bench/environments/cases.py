"""The rows of every environment, and the cases that each must answer: the same files and inputs for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plan.expected import read_expected
from bench.plan.planning import Plan
from bench.plan.preparation import keep_states, prepare_answers, prepare_devices
from bench.plan.request import Request
from bench.plan.subject import Subject
from bench.plan.variants import Device, Kind, Variant
from export.bundle.array_files import npz_bytes
from export.bundle.vectors import read_vectors
from export.formats.names import Format, file_name
from export.proof.affine import affine_oracle_of
from export.proof.comparison import ExpectedOutput
from export.source.factory import parse_arguments
from export.source.input_files import read_inputs
from export.source.own_inputs import own_inputs
from export.source.place import find_place
from export.source.source import Source
from linreg.errors import LinregError
from linreg.files import write_atomic
from linreg.inside import vector_folders
from linreg.state_dict import state_bytes

Array = NDArray[Any]

LIBRARIES = {
    Kind.ONNXRUNTIME_RUN: "onnxruntime",
    Kind.ONNXRUNTIME_IO_BINDING: "onnxruntime",
    Kind.TORCHSCRIPT: "torch",
    Kind.EAGER: "torch",
}
"""What an environment needs for each kind of row."""

STATE_FILE = "eager.pth"


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs, and the outputs that every row must give.

    Attributes:
        name: name for messages.
        file: name of the file with the inputs, in the work folder.
        batch: the batch size, if this case is timed; else None.
        expected: expected outputs with their allowed errors.
    """

    name: str
    file: str
    batch: int | None
    expected: tuple[ExpectedOutput, ...]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the workers get.

    Attributes:
        source: the model.
        rows: the rows that an environment with the right libraries can run.
        missing: why a row cannot run anywhere, by its name.
        cases: the cases, timed ones first.
        module: what an eager row loads: the place, the arguments and the state_dict; None without such a row.
    """

    source: Source
    rows: tuple[Variant, ...]
    missing: dict[str, str]
    cases: tuple[Case, ...]
    module: Mapping[str, Any] | None


def prepare(request: Request, plan: Plan, folder: Path) -> Prepared:
    """Write models and inputs into the work folder, and return the rows and cases.

    Raises:
        LinregError: the model cannot be loaded, or none of its files can be made.
    """
    sources = prepare_answers(folder, plan.subjects, request.settings.batches, request.own)
    source, subject = sources["model"], keep_states(folder, plan.subjects, sources)["model"]
    rows = [
        Variant(name="onnxruntime-run", kind=Kind.ONNXRUNTIME_RUN, file=file_name(Format.ONNX)),
        Variant(name="onnxruntime-io_binding", kind=Kind.ONNXRUNTIME_IO_BINDING, file=file_name(Format.ONNX)),
        Variant(name="torchscript", kind=Kind.TORCHSCRIPT, file=file_name(Format.TORCHSCRIPT)),
    ]
    found = prepare_devices(
        {Device.CPU: rows},
        source,
        plan.bundle,
        folder,
        provided=(),
        reference=rows[0].name,
        trust=request.trust,
    )[Device.CPU]
    missing = {row.name: row.skipped for row in found.skipped}
    there = [found.variants[0], *found.variants[2:]]  # the second is a copy of the first
    module = None
    if subject.module:
        module, reason = _module(subject, source, folder)
        if module is None:
            missing[Kind.EAGER.value] = reason
        else:
            there.append(Variant(name=Kind.EAGER.value, kind=Kind.EAGER))
    return Prepared(
        source=source,
        rows=tuple(there),
        missing=missing,
        cases=(*_timed(folder), *_vectors(plan.bundle, folder), *_own(request, source, folder)),
        module=module,
    )


def _module(subject: Subject, source: Source, folder: Path) -> tuple[Mapping[str, Any] | None, str]:
    """Return what loads the user's module in another environment, or None and the reason why nothing can."""
    arguments = subject.arguments_of_forward(source.module)
    if arguments is not None and not arguments.plain:
        return None, "its forward takes keyword, tuple or dict arguments, which a worker does not pass"
    write_atomic(folder / STATE_FILE, state_bytes(source.module.state_dict()))
    found = find_place(subject.module, "--module", "a module")
    place = found.module or str(found.file.absolute())
    made = {"module": f"{place}:{found.name}", "arguments": parse_arguments(subject.arguments), "state": STATE_FILE}
    return made, ""


def _timed(folder: Path) -> list[Case]:
    """Return one case for each batch size."""
    cases = []
    for batch, expected in read_expected(folder / "model.npz").items():
        file = _write(folder, f"batch_{batch}.npz", expected.inputs)
        cases.append(Case(name=f"batch {batch}", file=file, batch=batch, expected=expected.outputs))
    return cases


def _vectors(bundle: Path | None, folder: Path) -> list[Case]:
    """Return one case for each test vector of the bundle; none without vectors."""
    if bundle is None or not vector_folders(bundle):
        return []
    return [
        Case(
            name=vector.name,
            file=_write(folder, f"{vector.name}.npz", vector.inputs),
            batch=None,
            expected=vector.expected(),
        )
        for vector in read_vectors(bundle)
    ]


def _own(request: Request, source: Source, folder: Path) -> list[Case]:
    """Return one case for each set of `--inputs` for the model of a bundle; those of a bare module are timed.

    Raises:
        LinregError: a file cannot be read, or its arrays are not inputs of the model.
    """
    if request.own or not request.inputs_from:
        return []
    sets = [given for text in request.inputs_from for given in read_inputs(text)]
    oracle = affine_oracle_of(source)
    return [
        Case(
            name=own.name,
            file=_write(folder, f"own_{place}.npz", own.arrays),
            batch=None,
            expected=oracle.own_answers(own.arrays),
        )
        for place, own in enumerate(own_inputs(source.inputs, sets))
    ]


def _write(folder: Path, name: str, arrays: tuple[Array, ...]) -> str:
    write_atomic(folder / name, npz_bytes({f"{place:04}": array for place, array in enumerate(arrays)}))
    return name


def read_outputs(path: Path, count: int) -> tuple[Array, ...]:
    """Read the outputs that a worker wrote; nothing is unpickled.

    Raises:
        LinregError: the file is not one of arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return tuple(archive[name] for name in sorted(archive.files)[: count + 1])
    except (ValueError, OSError, KeyError) as error:
        raise LinregError(f"{path.name}: is not a file of arrays: {error}") from None
