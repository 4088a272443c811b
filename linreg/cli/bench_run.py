"""Run the benchmark of `linreg bench`; print notes before it starts, and show its progress."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.plan.budget import check_budget_rows
from bench.plan.request import Request
from linreg.cli.bundle import find_model, open_model, require
from linreg.cli.options import NO_INPUTS
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, stages
from linreg.cli.user_module import own_sets, run_module, run_module_of
from linreg.config import MAX_STATE_BYTES
from linreg.errors import UntrustedError

if TYPE_CHECKING:
    from bench.plan.estimate import Estimate
    from bench.report.report import Report
    from export.source.user_module import MadeModule


def measure(request: Request, *, batches_given: bool = False) -> "Report":
    """Time what a request asks for, and return the report.

    Args:
        request: the request.
        batches_given: the batch sizes were given, and are not the defaults.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: the model cannot be timed, or a budget names another row.
        typer.BadParameter: the inputs of a module are not known, or batch sizes are given beside them.
    """
    if request.module and request.model is not None:
        find_model(request.model)
    elif not request.module:
        request = replace(request, model=open_model(request.model).path)
    if request.against is not None:
        require(request.against)
    _check_code(request)
    from bench.benchmark import TIMING
    from bench.benchmark import measure as measure_plan
    from bench.plan.planning import plan_request

    made = None
    if request.module and request.model is None and not (request.inputs and not request.inputs_from):
        made = run_module(request.module, request.state_dict, request.arguments)
        request = _on_own_inputs(request, made, batches_given=batches_given)
    plan = plan_request(request)
    check_budget_rows(request.budgets, plan.with_tails)
    if request.module and plan.bundle is not None:
        run_module_of(request.module, plan.bundle, request.arguments)
    elif request.module and made is None:
        run_module(request.module, request.state_dict, request.arguments)
    if plan.bundle is not None and not request.trust and not request.environments:
        _note_foreign(plan.bundle, plan.files)
    with prints_on_stderr(), stages() as progress:

        def begin(estimate: "Estimate") -> None:
            note(estimate.text)
            progress.expect(TIMING, estimate.settings.processes, estimate.remaining_s)

        progress("preparing", 0, None)  # a slow module takes long here too
        return measure_plan(request, plan, progress=progress, begin=begin)


def _check_code(request: Request) -> None:
    """Look for the code of `--module`, and try the Python of every environment, before torch is imported.

    Raises:
        LinregError: there is no such code, or a Python cannot be used.
    """
    if request.module:
        from export.source.place import MODULE, find_place

        find_place(request.module, "--module", MODULE)
    if request.environments:
        from bench.environments.probe import probe

        probe(request.environments)


def _on_own_inputs(request: Request, made: "MadeModule", *, batches_given: bool) -> Request:
    """Return a request for the inputs of `--inputs`, or else those that come with the module."""
    from bench.plan.own_inputs import on_own_inputs

    sets = own_sets(made, request.inputs_from)
    if not sets:
        raise typer.BadParameter(f"{NO_INPUTS}; or name its bundle with -m, whose card.json describes them")
    if batches_given:
        raise typer.BadParameter(
            f"--batch has no effect: {sets[0].name} is timed with the rows that it has; leave it out, or describe the "
            "inputs with --input"
        )
    return on_own_inputs(request, made.module, sets)


def _note_foreign(bundle: Path, files: Collection[str]) -> None:
    """Print a note on each of the files to time that is a program which this user did not export.

    Such a program is exported again for timing.
    """
    from export.formats.names import RUNTIME_FORMATS, file_name
    from export.runners.trust import Trust, trusted_bytes
    from linreg.manifest import read_listed

    for kind in RUNTIME_FORMATS:
        path = bundle / file_name(kind)
        if path.name not in files or not path.is_file():
            continue
        try:
            trusted_bytes(kind, str(path), read_listed(bundle, path.name, limit=MAX_STATE_BYTES), Trust.LEDGER)
        except UntrustedError:
            note(
                f"{path}: is a program that this user did not export, so its row is exported again from the weights; "
                "if you trust it, add --trust"
            )
