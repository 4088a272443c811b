"""Run one process of a benchmark, as `python -P _linreg.py bench.worker.process JOB.json RESULT.json`.

Nothing imported here loads numpy, torch or onnxruntime, since the cost of importing them is measured.
"""

import ctypes
import signal
import sys
from pathlib import Path

from bench.worker.lifecycle import import_library
from bench.worker.messages import job_from_json, result_to_json
from linreg.errors import LinregError
from linreg.json_files import read_json, write_json

PR_SET_PDEATHSIG = 1
"""Linux prctl option: the signal to receive when the parent process dies."""


def main() -> int:
    """Run the job and write its result; print an expected failure as one line on stderr."""
    _end_with_parent()
    job = job_from_json(read_json(Path(sys.argv[1])))
    imported = import_library(job.variant(job.fresh)) if job.fresh else None

    from bench.worker.measurement import measure

    try:
        write_json(Path(sys.argv[2]), result_to_json(measure(job, imported=imported)))
    except LinregError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _end_with_parent() -> None:
    """Make this process end when its parent ends. This works on Linux only; elsewhere the job runs to completion."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
