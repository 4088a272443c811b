"""Read metadata, shapes and exact weights from JavaScript that linreg wrote, without running it."""

import re
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.source_code.comment import SourceText, json_text, read_arrays, read_comment, row_sizes
from linreg.errors import ModelError

Array = NDArray[Any]

FIRST_LINE = "/* An affine model: output = input * weight^T + bias. JavaScript exported by linreg; do not edit.\n"
FIRST_LINE_OF_NETWORK = "/* A feed-forward network. JavaScript exported by linreg; do not edit.\n"

_FUNCTION = re.compile(r"^export function predict\(input, output = new (Float32|Float64)Array\(", re.MULTILINE)
_ARRAY = re.compile(r"^const \w+ = new Float(?:32|64)Array\(\[\n([-+.,\s0-9e]*),\n\]\);$", re.MULTILINE)

_TYPES = """\
/** Types of {module}, which linreg exported; do not edit. */

/** How many numbers a row of the input has. */
export declare const inputSize: number;
/** How many numbers a row of the output has. */
export declare const outputSize: number;
/** The shape of one row of the input. */
export declare const inputShape: readonly number[];
/** The shape of one row of the output. */
export declare const outputShape: readonly number[];
/** The columns of the input in their order; empty if the model has no names for them. */
export declare const featureNames: readonly string[];
/** The name of what is predicted, if the model has one. */
export declare const targetName: string | null;
/** The identity of the weights, which manifest.json has too. */
export declare const stateSha256: string;

/**
 * Predict rows.
 *
 * @param input inputSize numbers for each row, row by row
 * @param output takes outputSize numbers for each row; it must not overlap the input
 * @returns the output
 */
export declare function predict(input: {kind}, output?: {kind}): {kind};
"""


_FACTS = """
export const inputSize = {features};
export const outputSize = {outputs};
export const inputShape = Object.freeze({input_shape});
export const outputShape = Object.freeze({output_shape});
export const featureNames = Object.freeze({feature_names});
export const targetName = {target_name};
export const stateSha256 = "{state_sha256}";

"""


def is_js(data: bytes) -> bool:
    """Return whether the data is JavaScript that linreg wrote."""
    return data.startswith((FIRST_LINE.encode(), FIRST_LINE_OF_NETWORK.encode()))


def facts(metadata: Mapping[str, Any]) -> str:
    """Return the constants that a module exports. It names its columns only if they are those of its input."""
    input_shape, output_shape = row_sizes(metadata["inputs"][0]), row_sizes(metadata["outputs"][0])
    features, target = metadata.get("features"), metadata.get("target")
    named = isinstance(features, list) and input_shape == (len(features),)
    return _FACTS.format(
        features=prod(input_shape),
        outputs=prod(output_shape),
        input_shape=list(input_shape),
        output_shape=list(output_shape),
        feature_names=json_text(features if named else []),
        target_name=json_text(target if isinstance(target, str) else None),
        state_sha256=metadata["state_sha256"],
    )


def types_of(name: str, data: bytes) -> bytes:
    """Return the text of model.d.mts, which TypeScript reads beside model.mjs.

    Args:
        name: file name of the module.
        data: the bytes of the module.

    Raises:
        ModelError: the data is not JavaScript that linreg wrote.
    """
    kind = f"Float{8 * read_js(name, data).dtype.itemsize}Array"
    return _TYPES.format(module=name, kind=kind).encode("ascii")


def read_js(name: str, data: bytes) -> SourceText:
    """Parse the bytes of model.mjs.

    Raises:
        ModelError: the data is not JavaScript that linreg wrote, or it is damaged.
    """
    try:
        text = data.decode("ascii")
        affine = text.startswith(FIRST_LINE)
        metadata = read_comment(text, FIRST_LINE if affine else FIRST_LINE_OF_NETWORK)
        if (function := _FUNCTION.search(text)) is None:
            raise ValueError("it exports no predict function")
        dtype = np.dtype(function[1].lower())
        (entry,), (result,) = metadata["inputs"], metadata["outputs"]
        input_shape, output_shape = row_sizes(entry), row_sizes(result)
        weights = read_arrays(_ARRAY.findall(text), metadata["parameters"], dtype, float, "0.0, ")
        sizes = prod(input_shape), prod(output_shape)
        if not weights or min(sizes) < 1 or (affine and next(iter(weights.values())).size != prod(sizes)):
            raise ValueError("the shape of its weights does not match its inputs and outputs")
        return SourceText(
            dtype=dtype,
            input_shape=input_shape,
            output_shape=output_shape,
            affine=affine,
            metadata=metadata,
            weights=weights,
        )
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise ModelError(f"{name}: is not JavaScript of linreg: {str(error)[:100]}; export it again") from None
