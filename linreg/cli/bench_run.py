"""Run the benchmark of `linreg bench`; print notes before it starts, and show its progress."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.plan.request import Request
from linreg.cli.bundle import find_model, open_model, require
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, stages
from linreg.cli.user_module import run_module, run_module_of
from linreg.config import MAX_STATE_BYTES
from linreg.errors import UntrustedError

if TYPE_CHECKING:
    from bench.report.report import Report


def measure(request: Request) -> "Report":
    """Time what a request asks for, and return the report.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: the model cannot be timed.
    """
    from bench.benchmark import measure as measure_plan
    from bench.plan.estimate import describe_estimate
    from bench.plan.planning import plan_request

    if request.module and request.model is not None:
        find_model(request.model)
    elif not request.module:
        request = replace(request, model=open_model(request.model).path)
    if request.against is not None:
        require(request.against)
    plan = plan_request(request)
    if request.module and plan.bundle is not None:
        run_module_of(request.module, plan.bundle)
    elif request.module:
        run_module(request.module, request.state_dict)
    if plan.bundle is not None and not request.trust:
        _note_foreign(plan.bundle)
    note(describe_estimate(plan, request.settings))
    with prints_on_stderr(), stages() as progress:
        return measure_plan(request, plan, progress=progress)


def _note_foreign(bundle: Path) -> None:
    """Print a note on each program in a bundle that this user did not export.

    Such a program is exported again for timing.
    """
    from export.formats.names import RUNTIME_FORMATS, file_name
    from export.runners.trust import Trust, trusted_bytes
    from linreg.manifest import read_listed

    for kind in RUNTIME_FORMATS:
        path = bundle / file_name(kind)
        if not path.is_file():
            continue
        try:
            trusted_bytes(kind, str(path), read_listed(bundle, path.name, limit=MAX_STATE_BYTES), Trust.LEDGER)
        except UntrustedError:
            note(
                f"{path}: is a program that this user did not export, so its row is exported again from the weights; "
                "if you trust it, add --trust"
            )
