"""Compare environments: answers first, then speed, in sets of one process for each environment."""

import resource
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from bench.analysis.environments import EnvironmentChange, Environments, EnvironmentVersions
from bench.environment import describe_environment, stolen_s
from bench.environments.answers import Answers, paired
from bench.environments.cases import Prepared, prepare
from bench.environments.placement import drop_pages, libraries_of
from bench.environments.rows import FEWEST_SETS, Timed, changes, comparison, is_narrow
from bench.environments.timing import Key, Team, start_team, time_team
from bench.plan.estimate import FEWEST_PROCESSES, MOST_S, Estimate, estimate_sets
from bench.plan.planning import Plan
from bench.plan.request import Request, model_name
from bench.report.report import Quality, Report, Settings
from bench.self_check_record import last_self_check
from linreg.folders import work_folder

Progress = Callable[[int, int], None]


def compare_environments(
    request: Request, plan: Plan, progress: Progress | None = None, begin: Callable[[Estimate], None] | None = None
) -> Report:
    """Return the report on a model in several environments; the first is the reference of the others.

    Args:
        request: the settings, and the environments.
        plan: the model.
        progress: called with the number of sets of processes completed and their largest number.
        begin: called after the first set with what the comparison is going to do.

    Raises:
        MismatchError: the first environment gives wrong outputs.
        LinregError: an environment cannot be started, or has no runtime in common with the first.
    """
    start, stolen = time.perf_counter(), stolen_s()
    settings = request.settings
    with work_folder("linreg-bench-") as folder:
        prepared = prepare(request, plan, folder)
        answers = Answers(request.environments[0].name, prepared.source.output_names, folder)
        run, preempted = _Run(request, prepared, answers), _preempted()
        most = settings.processes
        for place in range(settings.processes):
            set_start = time.perf_counter()
            with ExitStack() as stack:
                team = start_team(
                    stack,
                    request.environments,
                    prepared,
                    folder,
                    place=place,
                    threads=settings.threads[0],
                    onnxruntime_threads=settings.onnxruntime_threads or settings.threads[0],
                )
                run.measure(team, place)
                libraries = [file for worker in team.workers.values() for file in libraries_of(worker.process_id)]
            drop_pages(libraries)
            if place == 0 and begin is not None:
                expected = estimate_sets(time.perf_counter() - set_start, settings, FEWEST_SETS)
                most = expected.settings.processes
                begin(expected)
            if progress is not None:
                progress(place + 1, most)
            if run.enough(time.perf_counter() - start):
                break
    return Report(
        state_sha256=prepared.source.state_sha256,
        reference=(first := request.environments[0].name),
        scope=f"{run.sets} set{'' if run.sets == 1 else 's'} of processes",
        command=request.command,
        settings=Settings(**{**asdict(settings), "reference": first}, processes_run=run.sets),
        environment=describe_environment(),
        quality=Quality(
            preempted=_preempted() - preempted,
            stolen_s=round(stolen_s() - stolen, 2),
            duration_s=round(time.perf_counter() - start, 1),
            shortened=run.shortened,
        ),
        comparisons=tuple(
            comparison(run.rows, first, batch, settings, run.timed, answers) for batch in settings.batches
        ),
        environments=Environments(
            found=run.found,
            answers=tuple(map(answers.result, run.rows)),
            changes=tuple(run.changes()),
            missing=run.missing,
        ),
        model=model_name(request),
        self_check=last_self_check(),
    )


def _preempted() -> int:
    """Return the involuntary context switches of all processes that this one has started and waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw


class _Run:
    """What the sets of processes have found so far.

    Attributes:
        rows: the rows that are compared.
        missing: why other rows are not.
        found: the versions in each environment.
        timed: the blocks of each row.
        sets: number of sets completed.
        shortened: says that the time was up before the intervals were narrow; else empty.
    """

    def __init__(self, request: Request, prepared: Prepared, answers: Answers) -> None:
        self._request, self._prepared, self._answers = request, prepared, answers
        self._first = request.environments[0].name
        self.rows: list[Key] = []
        self.missing: dict[str, str] = dict(prepared.missing)
        self.found: tuple[EnvironmentVersions, ...] = ()
        self.timed: Timed = {}
        self.sets = 0
        self.shortened = ""
        self._was_narrow = False

    def measure(self, team: Team, place: int) -> None:
        """Check the answers of a set of processes, time its rows, and check the answers again."""
        timed_cases = [case for case in self._prepared.cases if case.batch is not None]
        if not self.rows:
            self.rows, missing = paired(team, self._first)
            self.missing |= missing
            self.found = tuple(
                EnvironmentVersions(name=name, python=found["python"], versions=found["versions"])
                for name, found in team.described.items()
            )
        self._answers.check(team, self.rows, self._prepared.cases if self.sets == 0 else timed_cases)
        rows, rounds = self._answers.right(self.rows), self._request.settings.rounds
        assert rounds is not None, "a comparison of environments has a number of rounds"
        if len({name for name, _ in rows}) > 1:
            for batch, blocks in time_team(team, rows, timed_cases, rounds=rounds, place=place):
                for key, own in blocks.items():
                    self.timed.setdefault((key, batch), []).append(own)
            self._answers.check(team, self.rows, timed_cases)
        self.sets += 1

    def changes(self) -> Sequence[EnvironmentChange]:
        """Return the change of every row that is right, at each batch size."""
        return changes(self._answers.right(self.rows), self._first, self._request.settings, self.timed)

    def enough(self, elapsed_s: float) -> bool:
        """Return whether every interval is narrow enough, or the time is up, or nothing is left to time.

        As in `bench.processes.run_job`, the intervals must be narrow twice in a row: the first that is narrow is luck.
        """
        found = self.changes()
        if not found:
            return True
        target = self._request.settings.target
        was_narrow, self._was_narrow = self._was_narrow, all(is_narrow(change.ratio, target) for change in found)
        if self.sets >= FEWEST_SETS and was_narrow and self._was_narrow:
            return True
        if self.sets < FEWEST_PROCESSES or elapsed_s * (self.sets + 1) / self.sets <= MOST_S:
            return False
        self.shortened = f"{self.sets} sets of processes: another would have ended after {MOST_S:.0f} s"
        return True
