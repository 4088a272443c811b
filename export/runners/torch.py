"""Run a torch module, and the TorchScript and .pt2 archives that torch loads."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from io import BytesIO
from typing import Any

import torch
from numpy.typing import NDArray

from export.bounded_json import parse_json
from export.formats.quiet import quiet
from export.formats.torchscript import METADATA_RECORD
from export.runners.base import Call, CallMode, Runner
from export.runners.trust import TrustedBytes
from export.source.arguments import Arguments, arguments_from_json
from export.source.arrays import bits_of
from export.source.outputs import flatten
from export.source.unwrapping import unwrap
from linreg.archive import read_archive
from linreg.errors import ExportError, ModelError

Array = NDArray[Any]

MAX_METADATA_BYTES = 2**22
MAX_METADATA_MEMORY_BYTES = 2**27


def torch_runner(
    name: str,
    module: torch.nn.Module,
    mode: CallMode = CallMode.INFERENCE_MODE,
    *,
    call: Callable[..., Any] | None = None,
    arguments: Arguments | None = None,
) -> Runner:
    """Make a runner for an eager or scripted torch module, on the device of its parameters.

    Args:
        name: the name used in messages.
        module: the module that holds the parameters.
        mode: the autograd context of each call.
        call: the function to call, such as the result of torch.compile; None calls the module.
        arguments: how the inputs become its arguments; None passes them by position.
    """
    called = module if call is None else call  # not `call or module`: a module may define __len__, or raise in it
    device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))

    def bind(inputs: tuple[Array, ...]) -> Call:
        tensors = tuple(torch.from_numpy(array.copy()).to(device) for array in inputs)
        args, kwargs = (arguments or Arguments.by_position(len(tensors))).bind(tensors)
        run, context = _torch_call(called, args, kwargs, mode)

        def outputs() -> tuple[Array, ...]:
            with context():
                results = run()
            return tuple(tensor.detach().cpu().numpy() for tensor in flatten(results))

        return Call(run=run, outputs=outputs, context=context)

    def parameters() -> Mapping[str, Array]:
        return {key: bits_of(value) for key, value in unwrap(module)[0].state_dict().items()}

    return Runner(name=name, bind=bind, parameters=parameters)


def _torch_call(
    module: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], mode: CallMode
) -> tuple[Callable[[], Any], Callable[[], AbstractContextManager[Any]]]:
    ambient: dict[CallMode, Callable[[], AbstractContextManager[Any]]] = {
        CallMode.NO_GRAD: torch.no_grad,
        CallMode.INFERENCE_MODE: torch.inference_mode,
    }
    per_call = {CallMode.NO_GRAD_PER_CALL: torch.no_grad, CallMode.INFERENCE_MODE_PER_CALL: torch.inference_mode}
    if mode in per_call:
        entered = per_call[mode]

        def run() -> Any:
            with entered():
                return module(*args, **kwargs)

        return run, nullcontext
    return partial(module, *args, **kwargs), ambient.get(mode, nullcontext)


def torchscript_runner(
    name: str,
    data: TrustedBytes,
    mode: CallMode = CallMode.INFERENCE_MODE,
    *,
    device: str = "cpu",
    frozen: bool = False,
) -> Runner:
    """Load a TorchScript archive, which is a program.

    Args:
        name: the name used in messages.
        data: the bytes of the archive.
        mode: the autograd context of each call.
        device: the device on which to put the parameters.
        frozen: call a copy whose parameters torch.jit.freeze has turned into constants.

    Raises:
        ModelError: torch cannot load it.
    """
    arguments = _stored_arguments(name, data)
    try:
        with quiet():
            module = torch.jit.load(BytesIO(data), map_location=device)
            frozen_module = torch.jit.freeze(module.eval()) if frozen else None
    except Exception as error:  # torch raises half a dozen classes for damaged archives
        raise ModelError(
            f"{name}: is not a TorchScript archive that torch can load ({type(error).__name__})"
        ) from error
    return torch_runner(name, module, mode, call=frozen_module, arguments=arguments)


def pt2_runner(name: str, data: TrustedBytes, mode: CallMode = CallMode.INFERENCE_MODE) -> Runner:
    """Load a .pt2 archive, which is a program.

    Raises:
        ModelError: torch cannot load it.
    """
    arguments = _stored_arguments(name, data)
    try:
        with quiet():
            program = torch.export.load(BytesIO(data))
    except Exception as error:  # torch raises classes of every kind for damaged archives
        raise ModelError(f"{name}: is not a .pt2 archive that torch can load ({type(error).__name__})") from error
    runner = torch_runner(name, program.module(), mode, arguments=arguments)

    def parameters() -> Mapping[str, Array]:
        return {key: bits_of(value) for key, value in program.state_dict.items()}

    return Runner(name=name, bind=runner.bind, parameters=parameters)


def _stored_arguments(name: str, data: bytes) -> Arguments | None:
    """Read how an archive is called, after checking that torch will read the same records as any other reader.

    Returns:
        The arguments in linreg's metadata; None if there are none, as in an archive that takes tensors by position.

    Raises:
        ModelError: the archive or its metadata is damaged.
    """
    record = read_archive(name, data).get(f"extra/{METADATA_RECORD}")
    if record is None or len(record) > MAX_METADATA_BYTES:
        return None
    try:
        metadata = parse_json(bytes(record), max_bytes=MAX_METADATA_MEMORY_BYTES)
    except ValueError:
        return None
    if not isinstance(metadata, dict) or "arguments" not in metadata:
        return None
    try:
        return arguments_from_json(metadata["arguments"])
    except ExportError as error:
        raise ModelError(f"{name}: {METADATA_RECORD} in it is damaged: {error}; export it again") from None
