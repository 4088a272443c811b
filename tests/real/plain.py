"""The script that one would write without linreg: export a network to ONNX and run it once.

Usage: NAME FILE [AXIS=SIZE]... Axes other than batch are dynamic if their sizes are given. Prints which axes the file
has fixed all the same.
"""

import json
import sys
from typing import Any

import nets
import numpy as np
import torch
from networks import NETWORKS, Network


def main() -> None:
    """Export, and run once with the same inputs."""
    import onnxruntime

    name, file, *sizes = sys.argv[1:]
    network = next(network for network in NETWORKS if network.name == name)
    module = getattr(nets, name)().eval()
    inputs = example(network, {"batch": 2, **network.example})
    shapes = tuple(_dynamic(axes, free=bool(sizes)) for _, _, axes, _ in network.parsed())
    with torch.no_grad():
        torch.onnx.export(module, inputs, file, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    session.run(None, {known.name: array.numpy() for known, array in zip(session.get_inputs(), inputs, strict=True)})
    fixed = {
        str(axes[place])
        for known, shape, (_, _, axes, _) in zip(session.get_inputs(), shapes, network.parsed(), strict=True)
        for place in shape
        if isinstance(known.shape[place], int)
    }
    print(json.dumps({"fixed": sorted(fixed)}))


def example(network: Network, sizes: dict[str, int], seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Random inputs of a network, with these sizes of its axes."""
    generator = np.random.default_rng(seed)
    made = []
    for name, dtype, axes, below in network.parsed():
        shape = [sizes[axis] if isinstance(axis, str) else axis for axis in axes]
        array = generator.integers(0, below, shape) if below else generator.standard_normal(shape)
        if name == "attention_mask":  # padded on the right
            array = (np.arange(shape[1]) < generator.integers(1, shape[1] + 1, (shape[0], 1))).astype(int)
        made.append(torch.from_numpy(array.astype(dtype)))
    return tuple(made)


def _dynamic(axes: tuple[int | str, ...], *, free: bool) -> dict[int, Any]:
    return {
        place: torch.export.Dim.DYNAMIC if axis != "batch" else torch.export.Dim("batch")
        for place, axis in enumerate(axes)
        if axis == "batch" or (free and isinstance(axis, str))
    }


if __name__ == "__main__":
    main()
