"""Write an affine module or a small feed-forward network as an ES module without dependencies.

The user's names and metadata are written as JSON in a comment and as JavaScript strings. They are escaped so that they
cannot end the comment or a string early. A model of float32 is computed in float32, with Math.fround.
"""

import re
from typing import TYPE_CHECKING

from export.formats.js_functions import ARRAYS, decimals
from export.formats.js_steps import JsWriter, js_writer
from export.formats.js_text import FIRST_LINE, FIRST_LINE_OF_NETWORK, facts
from export.formats.source_code.comment import comment
from export.formats.source_code.network import network_of
from export.source.source import Source
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

MAX_SCRATCH = 2**24

_PREDICT = """
/**
 * Predict rows.
 *
 * @param {{{kind}}} input inputSize numbers for each row, row by row
 * @param {{{kind}}} [output] takes outputSize numbers for each row; it must not overlap the input
 * @returns {{{kind}}} the output
 */
export function predict(input, output = new {kind}((input?.length / inputSize) * outputSize)) {{
  const batch = input?.length / inputSize;
  if (!(input instanceof {kind}) || !Number.isInteger(batch)) {{
    throw new TypeError(`input: expected a {kind} of ${{inputSize}} numbers for each row`);
  }}
  if (!(output instanceof {kind}) || output.length !== batch * outputSize) {{
    throw new TypeError(`output: expected a {kind} of ${{outputSize}} numbers for each row`);
  }}
  for (let row = 0, start = 0, end = 0; row < batch; ++row, start += inputSize, end += outputSize) {{
{rows}  }}
  return output;
}}
"""


def to_js(source: Source, *, program: "ExportedProgram | None" = None) -> bytes:
    """Return the text of model.mjs, in ASCII.

    Args:
        source: the module to export. One that is not affine is exported to ONNX first, and written from that file.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: an operator of the module cannot be written as JavaScript, the module is too large, its batch size
            is fixed, or JavaScript cannot express its dtype or values as constants.
    """
    written = js_writer(network_of(source, "js", program))
    if written.scratch.size > MAX_SCRATCH:
        raise ExportError(
            f"js: a row needs {written.scratch.size} numbers of memory, expected {MAX_SCRATCH} at most; use onnx"
        )
    first = FIRST_LINE_OF_NETWORK if source.affine is None else FIRST_LINE
    return (comment(source, first, written.network) + _code(source, written)).encode("ascii")


def _code(source: Source, written: JsWriter) -> str:
    network, kind = written.network, ARRAYS[str(written.network.dtype)]
    arrays = [
        f"const {written.names[constant.name]} = new {kind}([\n{_lines(decimals(constant.values))}]);\n"
        for constant in network.constants()
    ]
    if written.scratch.size:
        arrays.append(f"const scratch = new {kind}({written.scratch.size});\n")
    code = written.functions() + _PREDICT.format(kind=kind, rows=written.rows())
    if kind == "Float32Array":
        arrays.append("const f = Math.fround;\n")
    else:
        code = re.sub(r"\bf\(", "(", code)
    return facts(source.metadata) + "".join(arrays) + "\n" + code


def _lines(numbers: list[str]) -> str:
    places = range(0, len(numbers), 8)
    return "".join(f"  {', '.join(numbers[place : place + 8])},\n" for place in places)
