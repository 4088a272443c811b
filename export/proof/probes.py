"""Probe what a runtime does with NaN, infinity, the largest numbers and a batch of 0, on which correct runtimes differ.

Only modules that are not affine are probed. The results are reported but not judged. Probes run in a child process,
because onnxruntime 1.32 crashes on an LSTM with a batch of 0.
"""

import io
import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from _linreg import child_command
from export.formats.names import Format
from export.proof.cases import SEED, Case, special_case
from export.source.outputs import flatten
from export.source.source import Source
from export.source.user_code import INTERRUPTIONS

TIMEOUT_S = 120


def probe(kind: Format, paths: Sequence[Path], source: Source) -> dict[str, str]:
    """Run an artifact on each case; return a few words, by case, on how its outputs compare with eager's.

    Args:
        kind: format of the artifact.
        paths: path of the artifact, and that of the second file of a large ONNX model.
        source: what it was exported from.
    """
    found: dict[str, str] = {}
    arrays: dict[str, Any] = {}
    cases = [special_case(source)]
    cases += [
        Case(name=f"{axis.name} 0", inputs=source.random_inputs(source.sizes(**{axis.name: 0}), 1.0, SEED))
        for axis in source.axes
    ]
    for case in cases:
        try:
            with torch.inference_mode():
                eager = flatten(source.call(source.module, [torch.from_numpy(array) for array in case.inputs]))
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # whatever a user's module raises
            found[case.name] = f"eager itself raises {type(error).__name__}"
            continue
        arrays |= {f"{case.name}/input/{place}": array for place, array in enumerate(case.inputs)}
        arrays |= {f"{case.name}/output/{place}": tensor.numpy() for place, tensor in enumerate(eager)}
    return found | _ask(kind, paths, arrays)


def _ask(kind: Format, paths: Sequence[Path], arrays: dict[str, Any]) -> dict[str, str]:
    """Return the result of each case. If the process crashes, cases without a result get the reason for the crash."""
    names = list(dict.fromkeys(name.split("/")[0] for name in arrays))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    command = [*child_command("export.proof.probe_child"), kind.value, *map(str, paths)]
    try:
        done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, timeout=TIMEOUT_S, check=False)
        output = done.stdout
        end = (
            f"crashes its process ({signal.Signals(-done.returncode).name})"
            if done.returncode < 0
            else "gives no output"
        )
    except subprocess.TimeoutExpired as expired:
        output, end = expired.stdout or b"", f"gives no output within {TIMEOUT_S} s"
    answers = dict(json.loads(line) for line in output.splitlines())
    return {name: answers.get(name, end) for name in names}
