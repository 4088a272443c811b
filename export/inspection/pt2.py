"""Inspect a .pt2 archive by reading the JSON of its graph."""

import re
from collections import Counter
from typing import Any

from export.inspection.archive import Archive
from export.inspection.inspected import MAX_TENSORS, cut

SCALAR_TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
SCALAR_TYPES |= {12: "bool", 13: "bfloat16"}
"""Values of torch._export.serde.schema.ScalarType."""

SYMBOL = re.compile(r"Symbol\('(\w{1,100})'[^()]*\)")
MAX_EXPRESSION = 400
"""Characters of a size expression that are parsed."""

MAX_AXES = 64


def read_pt2(archive: Archive) -> dict[str, Any]:
    """Read the parts of an inspection from a .pt2 archive.

    Raises:
        ValueError: the graph is not JSON, has an unknown form, or is too large.
    """
    model = archive.json("models/model.json")
    try:
        graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
        tensors = graph["tensor_values"]
        if max(len(signature["input_specs"]), len(signature["output_specs"])) > MAX_TENSORS:
            raise ValueError(f"it has more than {MAX_TENSORS} inputs, outputs and parameters")
        arguments = [entry["user_input"]["arg"] for entry in signature["input_specs"] if "user_input" in entry]
        results = [entry["user_output"]["arg"] for entry in signature["output_specs"] if "user_output" in entry]
        parameters = [
            {**_tensor(tensors, spec["arg"]["name"]), "name": spec.get("parameter_name", spec.get("buffer_name"))}
            for entry in signature["input_specs"]
            for spec in (entry.get("parameter") or entry.get("buffer"),)
            if spec
        ]
        version = model["schema_version"]
        return {
            "inputs": [_tensor(tensors, entry["as_tensor"]["name"]) for entry in arguments if "as_tensor" in entry],
            "outputs": [_tensor(tensors, entry["as_tensor"]["name"]) for entry in results if "as_tensor" in entry],
            "facts": {
                "schema": f"{version['major']}.{version['minor']}"[:40],
                "ranges": model.get("range_constraints", {}),
                **({"torch_version": model["torch_version"]} if model.get("torch_version") else {}),
            },
            "metadata": archive.metadata(),
            "operators": dict(Counter(node["target"].removeprefix("torch.ops.")[:200] for node in graph["nodes"])),
            "parameters": parameters,
        }
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"its graph has an unknown form: {repr(error)[:100]}") from None


def _tensor(tensors: dict[str, Any], name: str) -> dict[str, Any]:
    meta = tensors[name]
    if "shape" not in meta:  # parsed once for each tensor, however often it is named
        # A size is a number, or an expression such as Symbol('s77', positive=True, integer=True).
        meta["shape"] = [
            size["as_int"] if "as_int" in size else cut(SYMBOL.sub(r"\1", size["as_expr"]["expr_str"][:MAX_EXPRESSION]))
            for size in meta["sizes"][:MAX_AXES]
        ]
    dtype = SCALAR_TYPES.get(meta["dtype"], f"scalar type {str(meta['dtype'])[:40]}")
    return {"name": name, "dtype": dtype, "shape": meta["shape"]}
