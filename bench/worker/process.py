"""A process of a benchmark: `python -P _linreg.py bench.worker.process JOB.json RESULT.json`.

Light: it has imported no runtime yet.
"""

import ctypes
import signal
import sys
from pathlib import Path

from bench.worker.job import job_from_json
from bench.worker.lifecycle import import_library
from linreg.errors import LinregError
from linreg.files import read_json, write_json

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: the signal that comes when the parent ends."""


def main() -> int:
    """Do the job, and write its result; an expected failure is one line on stderr."""
    _end_with_parent()
    job = job_from_json(read_json(Path(sys.argv[1])))
    imported = import_library(job.variant(job.fresh)) if job.fresh else None

    from bench.worker.measurement import measure
    from bench.worker.results import result_to_json

    try:
        write_json(Path(sys.argv[2]), result_to_json(measure(job, imported=imported)))
    except LinregError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _end_with_parent() -> None:
    """Do not go on where the process that asked is gone; Linux only, elsewhere the job is done to its end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
