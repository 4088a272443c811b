"""Run an ONNX model in onnxruntime, without torch."""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.formats.external_data import ExternalData
from export.runners.base import Call, Runner
from linreg.errors import ModelError, one_line

Array = NDArray[Any]

NO_KERNEL = "; it has no such operator for this dtype: export the module with --dtype float32, or with --format pt2"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""The execution provider of each device."""

LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
"""onnxruntime's levels of graph optimisation."""


class WrongProviderError(ModelError):
    """onnxruntime runs a session on another device than requested."""


def onnxruntime_runner(
    name: str,
    data: bytes,
    *,
    threads: int = 1,
    io_binding: bool = False,
    device: str = "cpu",
    optimisation: str = "all",
    external: ExternalData | None = None,
    prepack: bool = True,
) -> Runner:
    """Load an ONNX model in onnxruntime.

    Args:
        name: the name used in messages.
        data: the bytes of the model.
        threads: the number of intra-op threads.
        io_binding: bind inputs and outputs to the device once, instead of passing arrays to each call.
        device: `cpu` or `cuda`; its execution provider must be installed.
        optimisation: `all` graph optimisations, onnxruntime's default, only the `basic` ones, or `disabled`.
        external: the checked contents of the model's second file; it may be needed, and is never looked for.
        prepack: let onnxruntime keep the weights a second time, in an order that is faster; its default.

    Raises:
        ModelError: onnxruntime cannot load the model.
        WrongProviderError: onnxruntime runs it on another device.
    """
    outside = {} if external is None else dict(external.arrays)
    options = _options(threads, optimisation, prepack=prepack)
    values = {} if external is None else _share(options, external, outside, device)
    session = _session(name, data, options, device)
    session.kept = (outside, values)  # whatever holds the session needs their memory too
    input_names = [entry.name for entry in session.get_inputs()]
    output_names = [entry.name for entry in session.get_outputs()]

    def bind(inputs: tuple[Array, ...]) -> Call:
        # onnxruntime reads a big-endian array as if it were little-endian.
        native = [np.array(array, dtype=array.dtype.newbyteorder("="), order="C") for array in inputs]
        feed = dict(zip(input_names, native, strict=True))

        def outputs() -> tuple[Array, ...]:
            return tuple(session.run(output_names, feed))

        if not io_binding:
            return Call(run=partial(session.run, output_names, feed), outputs=outputs, context=nullcontext)
        binding = session.io_binding()
        values = {key: onnxruntime.OrtValue.ortvalue_from_numpy(array, device, 0) for key, array in feed.items()}
        for key, value in values.items():
            binding.bind_ortvalue_input(key, value)
        for key in output_names:
            binding.bind_output(key, device)
        binding.kept = (feed, values)  # older versions of onnxruntime read their memory, and do not keep it themselves

        def bound_outputs() -> tuple[Array, ...]:
            session.run_with_iobinding(binding)
            return tuple(binding.copy_outputs_to_cpu())

        return Call(run=partial(session.run_with_iobinding, binding), outputs=bound_outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        from onnx import load_model_from_string

        return dict(_constants(load_model_from_string(data))) | outside

    return Runner(name=name, bind=bind, parameters=parameters, folds=True)


def _share(
    options: onnxruntime.SessionOptions, external: ExternalData, arrays: Mapping[str, Array], device: str
) -> dict[str, onnxruntime.OrtValue]:
    """Give the contents of the second file to a session; on the CPU it reads them where they are, without a copy."""
    kinds = {tensor.name: tensor.kind for tensor in external.tensors}
    make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
    values = {name: make(array, kinds[name]) for name, array in arrays.items()}
    options.add_external_initializers(list(values), list(values.values()))
    if device == "cpu":
        for name, value in values.items():
            options.add_initializer(name, value)
    return values


def _constants(model: Any) -> Iterator[tuple[str, Array]]:
    """The initializers and the tensors of Constant nodes in all graphs; the main graph's names come last.

    Also the epsilon of each normalisation, since a wrong one may move outputs by less than their allowed error.
    """
    from onnx import numpy_helper

    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    for graph in graphs:
        nodes += graph.node
    for node in nodes:
        for attribute in node.attribute:
            inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
            graphs += inner
            nodes += [step for graph in inner for step in graph.node]
            if node.op_type == "Constant" and attribute.HasField("t"):
                yield node.output[0], numpy_helper.to_array(attribute.t)
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                yield node.output[0], np.array(list(attribute.floats) or attribute.f, np.float32)
            elif attribute.name == "epsilon":
                yield f"{node.output[0]}: epsilon", np.array(attribute.f, np.float32)
    for graph in reversed(graphs):
        for tensor in graph.initializer:
            if tensor.data_location != tensor.EXTERNAL:
                yield tensor.name, numpy_helper.to_array(tensor)


def _options(threads: int, optimisation: str, *, prepack: bool) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[optimisation]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # the variants of a benchmark share a process
    options.log_severity_level = 4
    # onnxruntime would read external weights from the current folder, without a check of their bytes.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def _session(name: str, data: bytes, options: onnxruntime.SessionOptions, device: str) -> onnxruntime.InferenceSession:
    threads = options.intra_op_num_threads
    try:
        session = onnxruntime.InferenceSession(data, options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime's classes are private
        remedy = NO_KERNEL if "NOT_IMPLEMENTED" in str(error) else ""
        raise ModelError(f"{name}: onnxruntime cannot load it: {one_line(error)}{remedy}") from error
    if (found := session.get_session_options().intra_op_num_threads) != threads:
        raise ModelError(
            f"{name}: onnxruntime uses {found} threads instead of {threads}, so the comparison would be unfair"
        )
    _check_provider(name, session, PROVIDERS[device])
    return session


def _check_provider(name: str, session: onnxruntime.InferenceSession, wanted: str) -> None:
    """Check that a session runs where it was meant to: onnxruntime falls back to the CPU without an error.

    Raises:
        WrongProviderError: another execution provider comes first.
    """
    if (found := session.get_providers()) and found[0] == wanted:
        return
    raise WrongProviderError(
        f"{name}: onnxruntime fell back to {', '.join(found) or 'no provider'} instead of {wanted}; check that the "
        "driver, and the versions of CUDA and cuDNN that onnxruntime-gpu needs, are installed"
    )
