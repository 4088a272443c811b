"""The network that source code is written for. An affine module is the case of one step."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from export.formats.source_code.steps import Dense, Network
from export.formats.source_code.trees import Constant, Tensor
from export.source.source import Source
from linreg.affine import Affine
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

DTYPES = ("float32", "float64")

MAX_WEIGHTS = 2**20
"""At this limit C source has 18 MB, and a compiler takes 4 s and half a gigabyte."""

_written: "WeakKeyDictionary[Source, bytes]" = WeakKeyDictionary()
"""The ONNX file of each network that is small enough for source code: each format of an export reads it."""


def network_of(source: Source, kind: str, program: "ExportedProgram | None" = None) -> Network:
    """Return the steps of a module; those of one that is not affine are read from the ONNX file written for it.

    Args:
        source: the module to export.
        kind: the format that is written from the steps, for messages.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: an operator of the module cannot be written as source code, the module is too large, its batch size
            is fixed, or its dtype or values cannot be constants in source code.
    """
    if source.affine is not None:
        return _only_layer(_exportable(source, source.affine, kind))
    from export.formats.onnx import to_onnx
    from export.formats.source_code.reading import read_steps

    _check_batch(source, kind)
    data = _written.get(source) or to_onnx(source, program=program)
    network = read_steps(data, kind)
    _check_count(sum(constant.values.size for constant in network.constants()), kind)
    _written[source] = data
    return network


def _only_layer(affine: Affine) -> Network:
    weight_name, bias_name = affine.names
    outputs, features = affine.weight.shape
    given, made = Tensor(buffer=0, shape=(features,)), Tensor(buffer=1, shape=(outputs,))
    bias = None if affine.bias is None else Constant(name=bias_name, values=affine.bias)
    layer = Dense(input=given, output=made, weight=Constant(name=weight_name, values=affine.weight), bias=bias)
    return Network(dtype=affine.weight.dtype, input=given, output=made, steps=(layer,))


def _exportable(source: Source, affine: Affine, kind: str) -> Affine:
    if str(affine.weight.dtype) not in DTYPES:
        raise ExportError(
            f"{kind}: takes no {affine.weight.dtype}, expected float32 or float64; use --dtype float32, or onnx"
        )
    _check_batch(source, kind)
    _check_count(affine.weight.size, kind)
    bias = np.zeros(1) if affine.bias is None else affine.bias
    if not (np.isfinite(affine.weight).all() and np.isfinite(bias).all()):
        raise ExportError(f"{kind}: a weight is NaN or infinite, which source code has no constants for; use onnx")
    return affine


def _check_batch(source: Source, kind: str) -> None:
    if source.static:
        raise ExportError(f"{kind}: the function takes any number of rows; leave out --static")


def _check_count(count: int, kind: str) -> None:
    if not count:
        raise ExportError(f"{kind}: the module has no weights, by which source code is verified; use onnx")
    if count > MAX_WEIGHTS:
        raise ExportError(f"{kind}: the module has {count} weights, expected 1 to {MAX_WEIGHTS}; use onnx")
