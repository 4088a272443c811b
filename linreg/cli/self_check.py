"""`linreg bench --self-check`: check whether the benchmark harness can be trusted on this machine.

The result is kept for later reports. Only false differences fail the check; how small a difference can be found here
is reported as the resolution.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.bundle import open_model
from linreg.cli.terminal import note, print_json, say, show_table, stages
from linreg.errors import LinregError

if TYPE_CHECKING:
    from bench.analysis.self_check import Resolution


def run_self_check(model: Path | None, *, as_json: bool) -> None:
    """Check the harness, show the figures and keep them; the last line and the exit code say whether it passed.

    Raises:
        LinregError: the harness cannot be trusted here.
    """
    from bench.analysis.self_check import ALL_RUNS
    from bench.harness import check_harness

    path = open_model(model).path
    note("a self-check takes about two minutes")
    with stages() as progress:
        check, record = check_harness(path, lambda done: progress("self-check", done, ALL_RUNS))
    if as_json:
        print_json(record)
    else:
        show_table("self-check of the harness", ["what", "figure", "expected"], _rows(record))
        say(
            f"{'FAIL' if check.failures else 'pass'}: {check.excluded * 100:.1f} % of {check.runs} A/A intervals "
            f"exclude 1, {check.beyond_margin} claim more than 1 %"
        )
        say(_resolution(check.resolution))
    if check.failures:
        raise LinregError(f"self-check: {'; '.join(check.failures)}; do not trust verdicts of this machine")


def _resolution(resolution: "Resolution") -> str:
    from bench.report.numbers import percent

    return (
        f"resolution: 95 % of runs find a difference of {percent(resolution.after_2_s)} in 2 s, "
        f"{percent(resolution.after_10_s)} in 10 s, and {percent(resolution.benchmark)} in the default benchmark"
    )


def _rows(record: dict[str, Any]) -> list[list[str]]:
    return [
        ["A/A runs: 95 % intervals that exclude 1", f"{record['excluded'] * 100:.1f} %", "0.5 % to 9 %"],
        ["A/A runs: claims of more than 1 %", str(record["beyond_margin"]), "none"],
        ["without shuffling: ratio moves by", f"{record['order_bias'] * 100:+.3f} %", "less than 1 %"],
        ["beside another runtime: ratio moves by", f"{record['neighbour'] * 100:+.3f} %", "less than 1 %"],
        ["A/A runs: standard deviation of the ratio", f"{record['spread'] * 100:.3f} %", ""],
        ["two fresh copies: standard deviation", f"{record['copies_spread'] * 100:.3f} %", ""],
        ["planted 1 %: found in 100 rounds", f"{record['found_1_percent'] * 100:.0f} %", ""],
        ["planted 3 %: found in 100 rounds", f"{record['found_3_percent'] * 100:.0f} %", ""],
        ["planted 3 %: error of the measured ratio", f"{record['bias'] * 100:+.1f} %", ""],
    ]
