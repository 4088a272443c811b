"""Bisect the ONNX file of a bundle: compare it with a fresh export of the module, and find the first wrong node."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper
from torch import nn

from export.bisection.differences import first_difference
from export.bisection.exact import ExactGraph
from export.bisection.inputs import inputs_to_run, was_refused
from export.bisection.search import Runs, Values, WrongNode, search
from export.formats.names import Format, file_name, format_of
from export.formats.onnx import DEFAULT_OPSET, to_onnx
from export.inspection.onnx import onnx_versions
from export.proof.comparison import compare_outputs, run_case
from export.proof.oracle import oracle_of
from export.runners.guarded import guarded_onnx_runner
from export.runners.ledger import is_ours
from export.runners.onnxruntime import onnxruntime_runner
from export.source.card import source_of_card
from export.source.inputs import Input
from export.source.module_source import from_module
from export.source.source import Source
from export.source.user_module import parse_input
from linreg.config import MAX_STATE_BYTES
from linreg.errors import ExportError, LinregError, MismatchError, ModelError, UntrustedError, one_line
from linreg.files import read_bytes
from linreg.in_python import in_python
from linreg.manifest import read_manifest
from linreg.module_card_file import read_module_card

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bisection:
    """The result of `bisect`.

    Attributes:
        file: the ONNX file; it may not exist, if its export was refused.
        nodes: the number of its nodes.
        runs: how often onnxruntime ran the file or a part of it.
        wrong: the first wrong node; None if no node leaves its bound.
        translation: how the outputs differ from the float64 oracle of the module although every node is right, so that
            torch.onnx translated it wrongly; empty if they do not.
        state_sha256: identity of the weights.
    """

    file: Path
    nodes: int
    runs: int
    wrong: WrongNode | None
    translation: str
    state_sha256: str


@in_python
def bisect(
    bundle: str | os.PathLike[str], *, module: nn.Module | None = None, inputs: Sequence[str] | None = None
) -> Bisection:
    """Find the first node of a bundle's ONNX file that is wrong.

    With `module` the file is compared with a fresh export of it: operators, attributes, edges, initializers and values.
    Without it the file's own nodes are computed in float64, which finds the faults of onnxruntime alone.

    Example:
        >>> import torch
        >>> from export.bundle.export import export
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
        >>> print(bisect(export(net, "net", inputs=["x=float32[batch,4]"]), module=net).wrong)
        None

    Args:
        bundle: a bundle, or an ONNX file in it. If the export was refused, so that there is no such file, a fresh
            export is bisected with the inputs that showed the fault.
        module: the module that was exported, with the same parameters.
        inputs: the inputs of the module, as for an export. Default: those of the bundle's card, or of the file.

    Raises:
        ModelError: the file is not an ONNX model.
        UntrustedError: `module` is missing, and this user did not export the file.
        ExportError: the module cannot be exported, or a node cannot be computed in float64.
        LinregError: there is no file and no description of the inputs.
    """
    path = onnx_file(Path(bundle))
    data = None if was_refused(path) or not path.exists() else read_bytes(path, limit=MAX_STATE_BYTES)
    if data is None and (module is None or not inputs):
        what = "its export was refused" if was_refused(path) else "does not exist"
        raise LinregError(
            f"{path}: {what}; to bisect an export that was refused, give the module and its inputs: "
            "linreg bisect BUNDLE --module FILE.py:NAME --input x=float32[batch,16]"
        )
    source = None if module is None else _source(module, path, data, inputs)
    fresh = None if source is None else to_onnx(source, opset=_opset(data))
    if data is None:
        assert fresh is not None
        data = fresh
    elif source is None and not is_ours(data):
        raise UntrustedError(
            f"{path}: was not exported by this user, so its nodes are not computed here; name the code of its module: "
            f"linreg bisect {path} --module FILE.py:NAME"
        )
    model = parsed(path, data)
    trusted = model if fresh is None else parsed(path, fresh)
    difference = first_difference(model, trusted)
    runs = Runs(_run_here if difference is None or is_ours(data) else _run_guarded)
    given = inputs_to_run(path, model, source)
    wrong = search(trusted if difference is None else model, ExactGraph(trusted), given, runs, difference)
    translation = _translation(source, data, given) if source is not None and wrong is None else ""
    manifest = read_manifest(path.parent)
    state = source.state_sha256 if source is not None else manifest.state_sha256 if manifest is not None else ""
    nodes = len(model.graph.node)
    return Bisection(file=path, nodes=nodes, runs=runs.count, wrong=wrong, translation=translation, state_sha256=state)


def onnx_file(bundle: Path) -> Path:
    """The ONNX file of a bundle; a path that ends in .onnx names the file itself."""
    return bundle if bundle.suffix == ".onnx" else bundle / file_name(Format.ONNX)


def parsed(path: Path, data: bytes) -> ModelProto:
    """The model in the bytes of a file.

    Raises:
        ModelError: it is no ONNX model, has no nodes, or keeps weights outside the file.
    """
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's classes are private
        raise ModelError(f"{path}: is not an ONNX model: {one_line(error)}; export again") from None
    if not model.graph.node:
        raise ModelError(f"{path}: has no nodes, expected an ONNX model; export again")
    outside = [entry.name for entry in model.graph.initializer if entry.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ModelError(f"{path}: keeps {outside[0]!r} outside the file, which bisect does not read; export again")
    return model


def _source(module: nn.Module, path: Path, data: bytes | None, inputs: Sequence[str] | None) -> Source:
    """The source of the module, with the inputs of the card, or with those of the file, which have no limits."""
    graph = onnx.GraphProto() if data is None else parsed(path, data).graph
    _, precision = format_of(path.name) or (None, None)
    if not inputs and (card := read_module_card(path.parent)) is not None:
        return source_of_card(module, card, precision)
    entries = [parse_input(text) for text in inputs] if inputs else [_entry(path, one) for one in graph.input]
    static = not any(entry.dynamic() for entry in entries)
    return from_module(
        module,
        entries,
        input_names=[entry.name for entry in graph.input],
        output_names=[entry.name for entry in graph.output],
        precision=precision,
        static=static,
    )


def _entry(path: Path, entry: onnx.ValueInfoProto) -> Input:
    """An input of a file as an input of a module."""
    kind = entry.type.tensor_type
    shape = tuple(axis.dim_param or axis.dim_value for axis in kind.shape.dim)
    if any(isinstance(axis, str) and not axis.isidentifier() for axis in shape):
        raise LinregError(
            f"{path}: input {entry.name!r} has the axes {list(shape)}; describe the module's inputs with --input"
        )
    return Input(name=entry.name, dtype=helper.tensor_dtype_to_np_dtype(kind.elem_type), shape=shape)


def _opset(data: bytes | None) -> int:
    return DEFAULT_OPSET if data is None else onnx_versions(data)[0] or DEFAULT_OPSET


def _run_here(model: ModelProto, values: Values, optimisation: str) -> tuple[Array, ...]:
    runner = onnxruntime_runner("part", model.SerializeToString(), optimisation=optimisation)
    return run_case(runner, tuple(values.values()), optimisation)


def _run_guarded(model: ModelProto, values: Values, optimisation: str) -> tuple[Array, ...]:
    """Run a part of a file of others in a child process, at onnxruntime's default: all optimisations."""
    return run_case(guarded_onnx_runner("part", model.SerializeToString()), tuple(values.values()), optimisation)


def _translation(source: Source, data: bytes, inputs: Values) -> str:
    """How the outputs of a file differ from the module's float64 outputs; empty if they do not."""
    given = tuple(inputs.values())
    runner = onnxruntime_runner("model", data)
    try:
        compare_outputs(
            "the file", source.output_names, run_case(runner, given, ""), oracle_of(source).answers(given, 1.0)
        )
    except MismatchError as error:
        return str(error)
    except ExportError:  # nothing can be proved about these inputs
        return ""
    return ""
