"""Print one line per runtime; `make deploy-test` ends with `python -m bench.programs.summary DEPLOY BUNDLE`."""

import sys
from pathlib import Path

from bench.analysis.parts import RuntimeRow
from bench.programs.finding import copy_checked, find_runtimes
from bench.programs.runtimes import PYTHON, time_runtimes
from bench.report.numbers import duration
from linreg.errors import LinregError
from linreg.folders import work_folder

PROCESSES = 1
"""One process gives a rough figure; `linreg bench --runtimes` runs `linreg.config.FEWEST_RUNTIME_PROCESSES` or more."""


def main() -> int:
    """Verify and time every runtime on the given bundle; it is a failure if one cannot run here."""
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
    """Return the line for one runtime: how it was verified, and its speed at each batch size."""
    first = rows[0]
    figures = [
        f"{duration(row.median_s)} per call at batch 1"
        if row.batch == 1
        else f"{row.rows_per_s / 1e6:.3g} million rows/s at {row.batch}"
        for row in rows
    ]
    return f"{first.name:12} {first.version:8} {'; '.join([first.proof.partition(': ')[2], *figures])}"


if __name__ == "__main__":
    sys.exit(main())
