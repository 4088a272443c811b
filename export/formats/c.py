"""Write an affine module or a small feed-forward network as C source that allocates no memory.

model.c begins with the whole text of model.h, so it compiles alone, and its proof covers both files. The user's names
and metadata are written as JSON in a comment and as strings in macros. They are escaped so that they cannot end the
comment or a string early. An affine module gives the same bits as onnxruntime.
"""

import re
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from export.formats.c_functions import hexadecimal
from export.formats.c_steps import CWriter, c_writer
from export.formats.c_text import END_OF_HEADER, FIRST_LINE, FIRST_LINE_OF_NETWORK, names_in_header
from export.formats.source_code.comment import comment
from export.formats.source_code.network import network_of
from export.formats.source_code.trees import Tensor
from export.source.source import Source
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Array = NDArray[Any]

DEFAULT_PREFIX = "linreg"
PREFIX = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_SCRATCH = 2**24

_HEADER = """\
#ifndef {macro}_MODEL_H
#define {macro}_MODEL_H

#include <stddef.h>
{guard}
#define {macro}_FEATURES {features}
#define {macro}_OUTPUTS {outputs}
{scratch}{dims}#define {macro}_NUMBER {type}
{names}
#ifdef __cplusplus
extern "C" {{
#endif

/* Predict `batch` rows: `input` holds batch * {macro}_FEATURES numbers, row by row, `output` takes
 * batch * {macro}_OUTPUTS. They must not overlap; neither is read or written where batch is 0.
{remarks}
void {prefix}_predict({parameters});

#ifdef __cplusplus
}}
#endif

#endif
"""

_AFFINE_REMARK = """\
 * A sum begins at 0, adds input * weight feature by feature with one rounding each ({fma}), then the bias. */\
"""

_NETWORK_REMARK = """\
{scratch} * Needs {functions} of math.h.
 * Compile with -std=c99 or -ffp-contract=off, since a * b + c with one rounding has other bits. */\
"""

_SCRATCH_REMARK = """\
 * `scratch` holds {macro}_SCRATCH numbers, whatever the batch, and overlaps neither; each thread needs its own.
"""

_GUARD = """
#if defined __FAST_MATH__ || defined __ASSOCIATIVE_MATH__ || defined __RECIPROCAL_MATH__ || \\
    (defined __FINITE_MATH_ONLY__ && __FINITE_MATH_ONLY__)
#error "{prefix}_predict was verified with the arithmetic of the standard; compile it without -ffast-math"
#endif
"""

_CONTRACTION = """
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
"""

_BODY = """
#include <math.h>
{contraction}
{arrays}{functions}void {prefix}_predict({parameters})
{{
    for (size_t row = 0; row < batch; ++row) {{
{rows}        input += {macro}_FEATURES;
        output += {macro}_OUTPUTS;
    }}
}}
"""


def to_c(source: Source, *, prefix: str = DEFAULT_PREFIX, program: "ExportedProgram | None" = None) -> bytes:
    """Return the text of model.c, in ASCII.

    Args:
        source: the module to export. One that is not affine is exported to ONNX first, and written from that file.
        prefix: prefix of the C identifiers, in lower case.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: `prefix` is invalid, an operator of the module cannot be written as C, the module is too large, its
            batch size is fixed, or C cannot express its dtype or values as constants.
    """
    check_prefix(prefix)
    written = c_writer(network_of(source, "c", program), prefix)
    if written.scratch.size > MAX_SCRATCH:
        raise ExportError(
            f"c: a row needs {written.scratch.size} numbers of memory, expected {MAX_SCRATCH} at most; use onnx"
        )
    return _text(source, written, affine=source.affine is not None).encode("ascii")


def check_prefix(prefix: str) -> None:
    """Check that C identifiers may begin with a prefix.

    Raises:
        ExportError: they may not.
    """
    if not PREFIX.fullmatch(prefix):
        raise ExportError(
            f"--prefix: got {prefix!r}, expected a lower-case letter, then lower-case letters and digits, also after "
            "single _, such as linreg or my_model"
        )


def _text(source: Source, written: CWriter, *, affine: bool) -> str:
    network, macro = written.network, written.prefix.upper()
    kind, scratch = written.kind, written.scratch.size
    parameters = f"size_t batch, const {kind} *input, {kind} *output{f', {kind} *scratch' if scratch else ''}"
    words = {"prefix": written.prefix, "macro": macro, "type": kind, "parameters": parameters}
    arrays = "".join(
        _array(f"{kind} {written.names[constant.name]}", constant.values, written.suffix)
        for constant in network.constants()
    )
    body = _BODY.format(
        **words,
        contraction="" if affine else _CONTRACTION,
        arrays=arrays,
        functions=written.functions(),
        rows=written.rows(),
    )
    if affine:
        remarks = _AFFINE_REMARK.format(fma=f"fma{written.suffix}")
    else:
        needed = ", ".join(sorted({f"{name}{written.suffix}" for name in _MATH.findall(body)})) or "nothing"
        remark = _SCRATCH_REMARK.format(**words) if scratch else ""
        remarks = _NETWORK_REMARK.format(scratch=remark, functions=needed)
    header = _HEADER.format(
        **words,
        guard=_GUARD.format(**words),
        features=network.input.size,
        outputs=network.output.size,
        scratch=f"#define {macro}_SCRATCH {scratch}\n" if scratch else "",
        dims=_dims({f"{macro}_INPUT_DIMS": network.input, f"{macro}_OUTPUT_DIMS": network.output}),
        names=names_in_header(written.prefix, source.metadata),
        remarks=remarks,
    )
    first = FIRST_LINE if affine else FIRST_LINE_OF_NETWORK
    return comment(source, first, network) + header + END_OF_HEADER + body


_MATH = re.compile(r"\b(fma|exp|expm1|log|log1p|pow|fabs|sqrt|erf|tanh)f?\(")


def _dims(tensors: dict[str, Tensor]) -> str:
    """Define the sizes of inputs and outputs whose rows have not one axis, by the names of the macros."""
    lines = [
        f"#define {macro} {{{', '.join(map(str, (0, *tensor.shape)))}}}\n"
        for macro, tensor in tensors.items()
        if len(tensor.shape) != 1
    ]
    remark = "/* Sizes of the axes; 0 is the batch. The last axis changes fastest in memory. */\n"
    return "".join([remark, *lines]) if lines else ""


def _array(declaration: str, values: Array, suffix: str) -> str:
    numbers = [f"{hexadecimal(float(value))}{suffix}" for value in values.reshape(-1)]
    lines = [", ".join(numbers[place : place + 4]) for place in range(0, len(numbers), 4)]
    return f"static const {declaration}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + "};\n\n"
