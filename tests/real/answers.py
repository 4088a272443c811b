"""Check an exported file with onnxruntime against eager torch, without linreg, at sizes that no proof tried.

Usage: NAME FILE AXIS=SIZE... Prints the largest error of an output against the same module in float64, over the largest
value of that output, and eager's own error in float32 beside it.
"""

import json
import sys

import nets
import numpy as np
import onnxruntime
import torch
from networks import NETWORKS
from plain import example
from torch.utils import _pytree


def main() -> None:
    """Compare, at three seeds."""
    name, file, *sizes = sys.argv[1:]
    network = next(network for network in NETWORKS if network.name == name)
    known = {axis: int(size) for axis, size in (text.split("=") for text in sizes)}
    module, wide = getattr(nets, name)().eval(), getattr(nets, name)().eval().double()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    worst, own = 0.0, 0.0
    for seed in range(100, 103):
        inputs = example(network, {**network.example, **known}, seed)
        feed = {entry.name: array.numpy() for entry, array in zip(session.get_inputs(), inputs, strict=True)}
        with torch.no_grad():
            eager = _pytree.tree_leaves(module(*inputs))
            torch.set_default_dtype(torch.float64)
            exact = _pytree.tree_leaves(
                wide(*(array.double() if array.is_floating_point() else array for array in inputs))
            )
            torch.set_default_dtype(torch.float32)
        eager, exact = ([leaf for leaf in leaves if leaf is not None] for leaves in (eager, exact))
        for got, narrow, right in zip(session.run(None, feed), eager, exact, strict=True):
            assert got.shape == tuple(right.shape), (got.shape, right.shape)
            largest = float(right.abs().max())
            worst = max(worst, float(np.abs(got - right.numpy()).max()) / largest)
            own = max(own, float((narrow.double() - right).abs().max()) / largest)
    print(json.dumps({"error": worst, "eager_error": own}))


if __name__ == "__main__":
    main()
