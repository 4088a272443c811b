"""Run ONNX Runtime in Python as one of the runtimes, with the commands `verify BUNDLE` and `bench BUNDLE BATCH`.

Its commands and output are like those of the programs in deploy/, and it needs no torch.
"""

import json
import sys
import time
from pathlib import Path

import onnxruntime

from bench.programs.runtimes import BLOCKS, PYTHON
from bench.protocol import WARM_IN_CALLS
from bench.worker.rounds import calibrate, garbage_collector_off, host_timer
from export.bundle.vectors import check_vectors, read_vectors
from export.formats.external_data import read_external_data
from export.formats.names import Format, file_name
from export.runners.base import Runner
from export.runners.onnxruntime import onnxruntime_runner
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError
from linreg.manifest import read_listed


def main() -> int:
    """Verify or time a bundle's model.onnx; print an expected failure as one line on stderr."""
    command, bundle, *rest = sys.argv[1:]
    try:
        path = Path(bundle) / file_name(Format.ONNX)
        data = read_listed(path.parent, path.name, limit=MAX_STATE_BYTES)
        runner = onnxruntime_runner(path.name, data, external=read_external_data(path, data))
        if command == "verify":
            check = check_vectors(runner, Path(bundle))
            equal = "bit-equal" if check.bytes_equal else f"worst error {check.worst_error:.3f} of what is allowed"
            print(f"{PYTHON}: {check.cases} cases, {equal}\n{check.cases} passed, 0 failed")  # noqa: T201
        else:
            print(json.dumps(time_vector(runner, Path(bundle), int(rest[0]))))  # noqa: T201
    except LinregError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def time_vector(runner: Runner, bundle: Path, batch: int) -> dict[str, object]:
    """Time blocks of calls on the inputs of the test vector with this batch size.

    Raises:
        LinregError: no test vector has this batch size.
    """
    inputs = next((vectors.inputs for vectors in read_vectors(bundle) if len(vectors.inputs[0]) == batch), None)
    if inputs is None:
        raise LinregError(f"{bundle}: has no test vector of batch {batch}; export it again")
    call, timer = runner.bind(inputs), host_timer(time.perf_counter_ns)
    seconds = []
    with garbage_collector_off():
        calls, _ = calibrate(call, timer)
        for _ in range(BLOCKS):
            for _ in range(WARM_IN_CALLS):
                call.run()
            seconds.append(timer(call.run, calls)[0] * 1e-9)
    return {
        "runtime": PYTHON,
        "version": onnxruntime.__version__,
        "batch": batch,
        "calls": calls,
        "block_s": seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
