"""One line a runtime: `python -m bench.programs.summary DEPLOY BUNDLE`, the end of `make deploy-test`."""

import sys
from pathlib import Path

from bench.programs.runtimes import PYTHON, RuntimeRow, copy_checked, find_runtimes, time_runtimes
from bench.report.tables import duration
from linreg.errors import LinregError
from linreg.folders import work_folder

PROCESSES = 1
"""The figures here are a glance; `linreg bench --runtimes` times each runtime in five processes or more."""


def main() -> int:
    """Prove and time every runtime; one that is not built is a failure. The bundle is the repository's own."""
    deploy, bundle = map(Path, sys.argv[1:])
    try:
        with work_folder("linreg-runtimes-") as work:
            copy = copy_checked(bundle, work)
            found, missing = find_runtimes(deploy, copy, work, trust=True)
            rows = time_runtimes(found, copy, processes=PROCESSES)
    except LinregError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    for name, why in missing.items():
        print(f"error: {name}: {why}", file=sys.stderr)  # noqa: T201
    for name in (PYTHON, *(runtime.name for runtime in found)):
        print(line([row for row in rows if row.name == name]))  # noqa: T201
    return 1 if missing else 0


def line(rows: list[RuntimeRow]) -> str:
    """A runtime: how it was proved, and what a call takes at each batch."""
    first = rows[0]
    figures = [
        f"{duration(row.median_s)} a call at batch 1"
        if row.batch == 1
        else f"{row.batch / row.median_s / 1e6:.3g} million rows/s at {row.batch}"
        for row in rows
    ]
    return f"{first.name:12} {first.version:8} {'; '.join([first.proof.partition(': ')[2], *figures])}"


if __name__ == "__main__":
    sys.exit(main())
