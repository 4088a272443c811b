"""The child process of export.proof.probes, which runs a file and may crash. Usage: FORMAT FILE [WEIGHTS] < cases.npz.

Only export.proof.probes starts it, on files that were just made. As soon as a case has run, it prints a JSON pair: the
name of the case, and how the outputs compare with those expected.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.external_data import checked, external_tensors
from export.formats.names import Format
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust

Arrays = list[NDArray[Any]]


def main() -> None:
    """Run all cases in order, and print one line for each."""
    kind, path, *weights = Format(sys.argv[1]), *map(Path, sys.argv[2:])
    stored = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a TorchScript program may print, and writes to the file descriptor
    data, external = path.read_bytes(), None
    if weights:  # mapped, not read: this file is in a folder of the parent, and nothing is judged by these outputs
        contents = np.memmap(weights[0], np.uint8, "r")
        external = checked(path.name, data, external_tensors(path.name, data), contents, None)
    runner = load_artifact(kind, path.name, data, Trust.MADE_HERE, external=external)
    for case in dict.fromkeys(name.split("/")[0] for name in stored.files):
        inputs, expected = _group(stored, f"{case}/input/"), _group(stored, f"{case}/output/")
        answers.write(json.dumps([case, _answer(runner, inputs, expected)]) + "\n")
        answers.flush()


def _group(stored: Any, prefix: str) -> Arrays:
    return [stored[name] for name in stored.files if name.startswith(prefix)]


def _answer(runner: Runner, inputs: Arrays, expected: Arrays) -> str:
    try:
        outputs = runner.bind(tuple(inputs)).outputs()
    except Exception as error:  # each runtime raises classes of its own
        return f"raises {type(error).__name__}"
    if [output.shape for output in outputs] != [array.shape for array in expected]:
        return "gives shapes that differ from eager"
    pairs = list(zip(outputs, expected, strict=True))
    if all(output.tobytes() == array.tobytes() for output, array in pairs):
        return "same bytes as eager"
    floating = [(output, array) for output, array in pairs if array.dtype.kind == "f"]
    same = all(
        np.array_equal(np.isnan(a), np.isnan(b)) and np.array_equal(np.isinf(a), np.isinf(b)) for a, b in floating
    )
    return "NaN and infinity as in eager" if same else "NaN or infinity at other places than in eager"


if __name__ == "__main__":
    main()
