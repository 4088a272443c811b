"""What the tests of `linreg bench` share: the words of a quick run, what it makes, and the rows of a report."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from bench.plan.variants import NULL, REFERENCE, cpu_variants

QUICK = ["--processes", "1", "--rounds", "10", "--batch", "1"]
WRITTEN = {"bench.json", "report.html"}
CPU = [REFERENCE, NULL, *(row.name for row in cpu_variants() if row.name != REFERENCE)]


def rows_of(report, device="cpu"):
    """The rows of the first comparison of a device, by name."""
    comparison = next(entry for entry in report["comparisons"] if entry["device"] == device)
    return {row["name"]: row for row in comparison["rows"]}


def wrong_weight(path: Path) -> None:
    """Plant one wrong weight in an ONNX file of a bundle that has no manifest to tell it from the right one."""
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[1] *= np.float32(1.001)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
    (path.parent / "manifest.json").unlink()
