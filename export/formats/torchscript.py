"""Export to TorchScript: script or trace the module, and remove from the archive all that identifies this machine.

torch deprecates TorchScript in favour of torch.export; its warnings are silenced at each call.
"""

import inspect
import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch.jit._trace import TracerWarning

from export.formats.archives import record_names, rewrite
from export.formats.mangling import Renumbering
from export.formats.quiet import quiet, reason
from export.formats.trace_sizes import CONSTANT_RESULTS, Sizes
from export.source.axes import other_size
from export.source.forward import annotations_for_torchscript
from export.source.outputs import flat_outputs
from export.source.source import Source
from linreg.errors import ExportError

METADATA_RECORD = "linreg.json"
TORCH_FOLDER = Path(torch.__file__).parent
SEED = 20261123
CONSTANT = re.compile(r"  \w+ : Final\[")


def to_torchscript(source: Source) -> bytes:
    """Script the module and return the archive's bytes.

    Control flow is kept; the metadata is in the extra file `linreg.json`.

    Raises:
        ExportError: torch cannot compile the module.
    """
    return _archive(source, lambda: torch.jit.script(source.module), "torchscript")


def to_traced_torchscript(source: Source) -> bytes:
    """Trace one call of the module and return the archive's bytes; a trace has no control flow that depends on data.

    Raises:
        ExportError: torch cannot trace the module.
    """
    inputs = tuple(torch.from_numpy(array) for array in source.random_inputs(source.sizes(), 1.0, SEED))
    return _archive(source, lambda: _trace(source, inputs), "torchscript-trace")


def _trace(source: Source, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Trace one call.

    Raises:
        ExportError: torch warns that it records a value as a constant. No verification could try every branch, so the
            module is refused.
    """
    traced, fixed = _traced(source, inputs, nullcontext())
    if fixed:
        sizes = _sizes(source, inputs)
        fixed = [entry for entry in fixed if not sizes.explains(entry)]
    if not fixed:
        return traced
    # If a line does both, the value is what the tensor is made from.
    first = next((entry for entry in fixed if CONSTANT_RESULTS not in str(entry.message)), fixed[0])
    place = f"torchscript-trace: line {first.lineno} of {Path(first.filename).name}"
    if CONSTANT_RESULTS in str(first.message):
        raise ExportError(
            f"{place} creates a tensor in forward, which a trace would record as a constant even if it depends "
            "on the input; create it once, as a buffer, or use --format torchscript, which keeps the call"
        )
    raise ExportError(
        f"{place} uses a value that depends on the input, which a trace would record as a constant; use --format "
        "torchscript, which keeps control flow"
    )


def _traced(
    source: Source, inputs: tuple[torch.Tensor, ...], context: AbstractContextManager[Any]
) -> tuple[Any, list[warnings.WarningMessage]]:
    """Trace one call, and return the warnings about the user's code; torch's own layers read only fixed shapes."""
    args, kwargs = source.arguments.bind(inputs)
    changed = (_without_keywords(source), flat_outputs(source.module))
    with warnings.catch_warnings(record=True) as caught, changed[0], changed[1], context:
        warnings.simplefilter("always", category=TracerWarning)
        traced = torch.jit.trace(source.module, (*args, *kwargs.values()), check_trace=False, strict=False)
    return traced, [
        entry
        for entry in caught
        if issubclass(entry.category, TracerWarning) and not Path(entry.filename).is_relative_to(TORCH_FOLDER)
    ]


@contextmanager
def _without_keywords(source: Source) -> Iterator[None]:
    """Let forward take exactly the arguments that are given, by position or keyword, as torch cannot trace others."""
    if len(source.arguments.names()) == source.arguments.positional:
        yield
        return
    forward, names, count = source.module.forward, source.arguments.names(), source.arguments.positional

    def given(*args: Any) -> Any:
        return forward(*args[:count], **dict(zip(names[count:], args[count:], strict=True)))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    own = vars(source.module).get("forward")
    source.module.forward = given
    try:
        yield
    finally:
        if own is None:
            del source.module.forward
        else:
            source.module.forward = own


def _sizes(source: Source, inputs: tuple[torch.Tensor, ...]) -> Sizes:
    """Trace again, at two sizes of each dynamic axis, to find the checks of fixed sizes."""
    first = source.sizes()
    second = {axis.name: other_size(axis, first[axis.name]) for axis in source.axes}
    more = tuple(torch.from_numpy(array) for array in source.random_inputs(second, 1.0, SEED))
    other = Sizes()
    _traced(source, more, other)
    sizes = Sizes(other.seen)
    _traced(source, inputs, sizes)
    return sizes


def _archive(source: Source, compile_module: Callable[[], Any], name: str) -> bytes:
    _forget_scripted_classes()
    try:
        with quiet(), torch.inference_mode(False), torch.no_grad():
            compiled = compile_module()
            metadata = json.dumps(source.metadata, ensure_ascii=False, sort_keys=True)
            return _clean(compiled.save_to_buffer(_extra_files={METADATA_RECORD: metadata}))
    except ExportError:
        raise
    except Exception as error:  # the compiler raises many classes
        wanted = annotations_for_torchscript(source.module, source.arguments) if name == "torchscript" else ""
        annotate = f"annotate the arguments of forward, {wanted}, or " if wanted else ""
        raise ExportError(
            f"{name}: torch cannot compile the module: {reason(error)}; {annotate}try --format pt2"
        ) from error


def _forget_scripted_classes() -> None:
    """Clear torch's table of scripted classes, as torch's own tests do.

    Otherwise torch would rename a second class of the same name, and the bytes of an archive would depend on earlier
    exports. Modules that are already scripted keep their types.
    """
    torch._C._jit_clear_class_registry()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch.jit._state._clear_class_state()


def _clean(archive: bytes) -> bytes:
    """Rewrite an archive so that its bytes depend on the program alone.

    `*.debug_pkl`, which holds paths and lines of source files, is dropped. The constants of each class are
    sorted, because torch writes them in the order of a set, which differs between processes. Mangled names are
    renumbered.
    """
    names = record_names(archive)
    numbers = Renumbering(names)

    def change(name: str, record: bytes) -> tuple[str, bytes] | None:
        if name.endswith(".debug_pkl"):
            return None
        if name.startswith("code/"):
            record = _sort_constants(numbers.text(record.decode())).encode()
        if name.endswith("data.pkl") and numbers.needed:
            record = numbers.pickle(record)
        return numbers.text(name), record

    return rewrite(archive, change)


def _sort_constants(code: str) -> str:
    runs = groupby(code.splitlines(keepends=True), key=lambda line: bool(CONSTANT.match(line)))
    return "".join("".join(sorted(run) if constant else run) for constant, run in runs)
