"""`linreg bench --self-check`: whether the harness can be trusted on this machine, kept for later reports."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from linreg.cli.bundle import open_model
from linreg.cli.terminal import note, print_json, progress, say, show_table
from linreg.errors import LinregError

FILE = "self-check.json"
SAME = ("processor", "cores", "versions")
"""Fields of the environment: a self-check holds only for reports of the same machine and versions."""


def run_self_check(model: Path | None, *, as_json: bool) -> None:
    """Measure the harness, show the figures and keep them; the last line and the exit code say whether it passed.

    Raises:
        LinregError: the harness cannot be trusted here.
    """
    from bench.analysis.self_check import ALL_RUNS, describe, self_check
    from bench.environment import describe_environment
    from bench.plan.expected import SEED
    from bench.worker.measurement import torch_threads
    from export.bundle.trust import state_folder
    from export.bundle.write import build
    from export.formats.names import Format
    from export.runners.base import onnxruntime_runner, torch_runner
    from export.source.source import from_checkpoint
    from linreg.checkpoint import load
    from linreg.files import write_json

    path = open_model(model).path
    source = from_checkpoint(load(path))
    onnx = build(source, Format.ONNX)
    note("a self-check takes about a minute")
    with torch_threads(1), progress("self-check", ALL_RUNS) as done:
        check = self_check(
            lambda: torch_runner("eager", load(path).model),
            lambda: onnxruntime_runner("neighbour", onnx),
            source.random_inputs(1, 1.0, SEED),
            done,
        )
    found = {**describe(check), "environment": asdict(describe_environment())}
    write_json(state_folder() / FILE, found)
    if as_json:
        print_json(found)
    else:
        show_table("self-check of the harness", ["what", "figure", "expected"], _rows(found))
        say(
            f"{'FAIL' if check.failures else 'pass'}: {check.excluded:.1%} of {check.runs} A/A intervals exclude 1, "
            f"{check.beyond_margin} claim more than 1 %; 3 % found in {check.found_3_percent:.0%} of the runs, "
            f"1 % in {check.found_1_percent:.0%}"
        )
    if check.failures:
        raise LinregError(f"self-check: {'; '.join(check.failures)}; try again on a quieter machine")


def last_self_check() -> dict[str, Any] | None:
    """The last self-check on this machine with these versions; None if there is none."""
    from bench.environment import describe_environment
    from export.bundle.trust import state_folder
    from linreg.files import read_json

    path = state_folder() / FILE
    if not path.is_file():
        return None
    try:
        found = read_json(path)
    except LinregError:
        return None
    now, then = asdict(describe_environment()), found.get("environment")
    return found if isinstance(then, dict) and all(now[name] == then.get(name) for name in SAME) else None


def _rows(found: dict[str, Any]) -> list[list[str]]:
    return [
        ["A/A runs: 95 % intervals that exclude 1", f"{found['excluded']:.1%}", "0.5 % to 9 %"],
        ["A/A runs: claims of more than 1 %", str(found["beyond_margin"]), "none"],
        ["A/A runs: standard deviation of the ratio", f"{found['spread']:.3%}", ""],
        ["two fresh copies: standard deviation", f"{found['copies_spread']:.3%}", ""],
        ["planted 1 %: found in", f"{found['found_1_percent']:.0%}", "at least 95 %"],
        ["planted 3 %: found in", f"{found['found_3_percent']:.0%}", "100 %"],
        ["planted 3 %: error of the measured ratio", f"{found['bias']:+.1%}", ""],
        ["without shuffling: ratio moves by", f"{found['order_bias']:+.3%}", "less than 1 %"],
        ["beside another runtime: ratio moves by", f"{found['neighbour']:+.3%}", "less than 1 %"],
    ]
