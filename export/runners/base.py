"""Run a module or an artifact on a device: bind inputs once, then call as often as needed.

Verification and benchmark use the same calls. torch is imported only by the runners that need it, so that an .onnx file
can be run without it.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.formats.names import Format
from export.runners.call_modes import CallMode
from linreg.archive import read_archive
from linreg.errors import ModelError, one_line

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""onnxruntime's name for what runs on a device."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A runner with its inputs already on the device.

    Attributes:
        run: what is timed; to be called inside `context()`.
        outputs: calls once more and fetches the results as arrays.
        context: the ambient context of `run`.
    """

    run: Callable[[], object]
    outputs: Callable[[], tuple[Array, ...]]
    context: Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Something that answers.

    Attributes:
        name: for people.
        bind: takes one array an input, gives a call.
        parameters: reads the weights in the file, by name.
        folds: the format may hold a parameter in another form, or not at all.
    """

    name: str
    bind: Callable[[tuple[Array, ...]], Call]
    parameters: Callable[[], Mapping[str, Array]]
    folds: bool = False


def torch_runner(
    name: str,
    module: "torch.nn.Module",
    mode: CallMode = CallMode.INFERENCE_MODE,
    *,
    call: Callable[..., Any] | None = None,
) -> Runner:
    """Run a torch module, eager or scripted, on the device where its parameters are.

    Args:
        name: for people.
        module: has the parameters.
        mode: how it is called.
        call: what is called with the inputs, torch.compile's function say; None calls the module.
    """
    import torch

    from export.source.arrays import bits_of
    from export.source.signature import flatten
    from export.source.unwrapping import unwrap

    called = module if call is None else call  # not `call or module`: a module may have a length, or refuse to say it
    device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))

    def bind(inputs: tuple[Array, ...]) -> Call:
        arguments = tuple(torch.from_numpy(array.copy()).to(device) for array in inputs)
        run, context = _torch_call(called, arguments, mode)

        def outputs() -> tuple[Array, ...]:
            with context():
                results = run()
            return tuple(tensor.detach().cpu().numpy() for tensor in flatten(results))

        return Call(run=run, outputs=outputs, context=context)

    def parameters() -> Mapping[str, Array]:
        return {key: bits_of(value) for key, value in unwrap(module)[0].state_dict().items()}

    return Runner(name=name, bind=bind, parameters=parameters)


def _torch_call(
    module: Callable[..., Any], arguments: tuple["torch.Tensor", ...], mode: CallMode
) -> tuple[Callable[[], Any], Callable[[], AbstractContextManager[Any]]]:
    import torch

    ambient: dict[CallMode, Callable[[], AbstractContextManager[Any]]] = {
        CallMode.NO_GRAD: torch.no_grad,
        CallMode.INFERENCE_MODE: torch.inference_mode,
    }
    per_call = {CallMode.NO_GRAD_PER_CALL: torch.no_grad, CallMode.INFERENCE_MODE_PER_CALL: torch.inference_mode}
    if mode in per_call:
        entered = per_call[mode]

        def run() -> Any:
            with entered():
                return module(*arguments)

        return run, nullcontext
    return partial(module, *arguments), ambient.get(mode, nullcontext)


def torchscript_runner(
    name: str,
    data: bytes,
    mode: CallMode = CallMode.INFERENCE_MODE,
    *,
    device: str = "cpu",
    frozen: bool = False,
) -> Runner:
    """Load a TorchScript archive, which is a program: only from bytes that are trusted.

    Args:
        name: for people.
        data: of the archive.
        mode: how it is called.
        device: where its parameters are put.
        frozen: call a copy whose parameters torch.jit.freeze has made constants.

    Raises:
        ModelError: torch cannot load it.
    """
    import torch

    from export.formats.quiet import quiet

    read_archive(name, data)  # so that torch reads the records that anybody else reads
    try:
        with quiet():
            module = torch.jit.load(BytesIO(data), map_location=device)
            frozen_module = torch.jit.freeze(module.eval()) if frozen else None
    except Exception as error:  # torch raises half a dozen classes for damaged archives
        raise ModelError(f"{name}: is no TorchScript archive that torch can load ({type(error).__name__})") from error
    return torch_runner(name, module, mode, call=frozen_module)


def pt2_runner(name: str, data: bytes, mode: CallMode = CallMode.INFERENCE_MODE) -> Runner:
    """Load a .pt2 archive, which is a program: only from bytes that are trusted.

    Raises:
        ModelError: torch cannot load it.
    """
    import torch

    from export.formats.quiet import quiet
    from export.source.arrays import bits_of

    read_archive(name, data)  # so that torch reads the records that anybody else reads
    try:
        with quiet():
            program = torch.export.load(BytesIO(data))
    except Exception as error:  # torch raises classes of every kind for damaged archives
        raise ModelError(f"{name}: is no .pt2 archive that torch can load ({type(error).__name__})") from error
    runner = torch_runner(name, program.module(), mode)

    def parameters() -> Mapping[str, Array]:
        return {key: bits_of(value) for key, value in program.state_dict.items()}

    return Runner(name=name, bind=runner.bind, parameters=parameters)


def onnxruntime_runner(
    name: str, data: bytes, *, threads: int = 1, io_binding: bool = False, device: str = "cpu"
) -> Runner:
    """Load an ONNX model in onnxruntime, with spinning off, as variants share a process.

    Args:
        name: for people.
        data: of the model.
        threads: intra-op.
        io_binding: bind inputs and outputs once, on the device, instead of passing arrays at each call.
        device: `cpu` or `cuda`, whose provider must be installed.

    Raises:
        ModelError: onnxruntime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    # Weights in another file would be looked for in the current folder, and nobody has checked their bytes.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime's classes are private
        raise ModelError(f"{name}: onnxruntime cannot load it: {one_line(error)}") from error
    if (found := session.get_session_options().intra_op_num_threads) != threads:
        raise ModelError(f"{name}: onnxruntime has {found} threads, expected {threads}; budgets would be unequal")
    input_names = [entry.name for entry in session.get_inputs()]
    output_names = [entry.name for entry in session.get_outputs()]

    def bind(inputs: tuple[Array, ...]) -> Call:
        # onnxruntime takes a big-endian array for a little-endian one.
        native = [np.array(array, dtype=array.dtype.newbyteorder("="), order="C") for array in inputs]
        feed = dict(zip(input_names, native, strict=True))

        def outputs() -> tuple[Array, ...]:
            return tuple(session.run(output_names, feed))

        if not io_binding:
            return Call(run=partial(session.run, output_names, feed), outputs=outputs, context=nullcontext)
        binding = session.io_binding()
        for key, array in feed.items():
            binding.bind_ortvalue_input(key, onnxruntime.OrtValue.ortvalue_from_numpy(array, device, 0))
        for key in output_names:
            binding.bind_output(key, device)

        def bound_outputs() -> tuple[Array, ...]:
            session.run_with_iobinding(binding)
            return tuple(binding.copy_outputs_to_cpu())

        return Call(run=partial(session.run_with_iobinding, binding), outputs=bound_outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        from onnx import load_model_from_string, numpy_helper

        graph = load_model_from_string(data).graph
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    return Runner(name=name, bind=bind, parameters=parameters, folds=True)


def load_runner(kind: Format, name: str, data: bytes) -> Runner:
    """Load the bytes of an artifact; all but those of ONNX are programs, and must be trusted.

    Raises:
        ModelError: they cannot be loaded.
    """
    if kind is Format.ONNX:
        return onnxruntime_runner(name, data)
    if kind is Format.C:
        from export.runners.c import c_runner

        return c_runner(name, data)
    return pt2_runner(name, data) if kind is Format.PT2 else torchscript_runner(name, data)
