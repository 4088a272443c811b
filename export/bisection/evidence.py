"""Write what shows a wrong node: the smallest ONNX model, one test vector, and the lines of a bug report."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from onnx import numpy_helper

from export.bisection.bisect import Bisection
from export.bisection.search import Cause, WrongNode
from export.bundle.vectors import stage_vectors
from linreg.changes import changing
from linreg.folders import ensure_folder
from linreg.manifest import check_overwrite, entry_of, manifest_files

MODEL = "model.onnx"

SAID = {
    Cause.FILE: "no fault of torch or onnxruntime: the file is not what torch exports from this module; export again",
    Cause.RUNTIME: "onnxruntime (CPU, graph optimisation disabled) computes one node wrongly, or does not run it",
    Cause.OPTIMISER: "onnxruntime (CPU) is right with ORT_DISABLE_ALL and wrong with ORT_ENABLE_ALL",
}
"""Who is at fault, for a bug report."""


def write_evidence(result: Bisection, folder: Path) -> tuple[str, ...]:
    """Write the smallest model that shows the fault, its inputs and the expected outputs; return their names.

    `linreg verify FOLDER/model.onnx` then fails as the whole file does.

    Raises:
        LinregError: the folder cannot be written, or the user's files would be overwritten.
    """
    wrong = result.wrong
    assert wrong is not None, "there is a wrong node"
    files = _vector(wrong)
    model = wrong.part.SerializeToString(deterministic=True)
    proof = {"format": "onnx", "static": True, "node": wrong.name, "operator": wrong.operator}
    ensure_folder(folder)
    with changing(folder, command="linreg bisect") as changes:
        check_overwrite(folder, [MODEL, *files], force=False)
        changes.stage(MODEL, model)
        stage_vectors(changes, files)
        entries = [entry_of(MODEL, model, proof), *(entry_of(name, data) for name, data in files.items())]
        for name, data in manifest_files(result.state_sha256, entries).items():
            changes.stage(name, data)
        changes.commit()
    return (MODEL, *files)


def _vector(wrong: WrongNode) -> dict[str, bytes]:
    files = {
        f"test_data_set_0/input_{index}.pb": _tensor(array, name)
        for index, (name, array) in enumerate(wrong.inputs.items())
    }
    for index, entry in enumerate(wrong.part.graph.output):
        if (expected := wrong.expected.get(entry.name)) is not None:
            allowed = np.where(expected.any_class, np.inf, expected.allowed)
            files[f"test_data_set_0/output_{index}.pb"] = _tensor(expected.eager, entry.name)
            files[f"test_data_set_0/allowed_{index}.pb"] = _tensor(allowed, entry.name)
    return files


def bug_report(result: Bisection) -> str:
    """The lines to paste into a bug report; for a file that was changed after its export, what to do instead.

    They hold versions, the operator and the difference, and no name of a file, a folder or the module.
    """
    wrong = result.wrong
    versions = " ".join(f"{name} {version(name)}" for name in ("torch", "onnx", "onnxruntime", "onnxscript"))
    lines = [f"{versions}, Python {platform.python_version()} on {platform.machine()}"]
    if wrong is None:
        return "\n".join([*lines, f"torch.onnx translates a module wrongly: {result.translation}"])
    opsets = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in wrong.part.opset_import)
    figure = "" if wrong.worst_error is None else f", error / allowed {wrong.worst_error:.3g}"
    lines += [
        SAID[wrong.cause],
        f"operator {wrong.operator} ({opsets}), node {wrong.name!r}, output {wrong.output!r}{figure}",
        wrong.what,
        "model.onnx runs on test_data_set_0/input_*.pb; output_*.pb is the float64 result, rounded once",
    ]
    return "\n".join(lines)


def _tensor(array: Any, name: str) -> bytes:
    data: bytes = numpy_helper.from_array(np.ascontiguousarray(array), name).SerializeToString(deterministic=True)
    return data
