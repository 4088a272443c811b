"""Check the outputs of every row in every environment, against those expected and against the first environment's."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.analysis.environments import EnvironmentAnswers
from bench.analysis.parts import LONGEST
from bench.environments.cases import Case, read_outputs
from bench.environments.channel import Worker, WorkerError
from bench.environments.probe import no_runtime
from bench.environments.timing import Key, Team
from export.proof.comparison import compare_outputs
from linreg.errors import MismatchError

OUTPUTS_FILE = "outputs.npz"


class Answers:
    """The checks so far, over all sets of processes."""

    def __init__(self, first: str, names: tuple[str, ...], folder: Path) -> None:
        """Start without any check.

        Args:
            first: name of the first environment, with which the others are compared bit by bit.
            names: names of the outputs.
            folder: the work folder.
        """
        self._first, self._names, self._folder = first, tuple(map(repr, names)), folder
        self._given: dict[tuple[str, str], list[bytes]] = {}  # by the first environment, by row and case
        self._answered: dict[Key, set[str]] = {}
        self._worst: dict[Key, float] = {}
        self._different: set[Key] = set()
        self._problems: dict[Key, str] = {}
        self._broken: set[Key] = set()

    def check(self, team: Team, rows: Sequence[Key], cases: Sequence[Case]) -> None:
        """Run the rows that have no problem yet on these cases, the first environment before the others.

        Raises:
            MismatchError: the first environment gives wrong outputs.
            LinregError: a worker ended.
        """
        for key in rows:
            if key in team.failed:
                self._break(key, f"{key[0]}: {key[1]}: does not load: {team.failed[key]}")
        for key in sorted(rows, key=lambda key: key[0] != self._first):
            for case in cases:
                if key not in self._problems:
                    self._check(team.workers[key[0]], key, case)

    def right(self, rows: Iterable[Key]) -> list[Key]:
        """Return the rows without a problem, in their order."""
        return [key for key in rows if key not in self._problems]

    def _break(self, key: Key, problem: str) -> None:
        """Record why a row does not run."""
        self._broken.add(key)
        self._fail(key, problem)

    def _fail(self, key: Key, problem: str) -> None:
        """Record what is wrong with a row.

        Raises:
            MismatchError: the row is one of the first environment.
        """
        if key[0] == self._first:
            raise MismatchError(f"{problem}; nothing can be compared with it")
        self._problems[key] = problem[:LONGEST]

    def result(self, key: Key) -> EnvironmentAnswers:
        """Return the result of a row."""
        problem = self._problems.get(key, "")
        return EnvironmentAnswers(
            environment=key[0],
            row=key[1],
            problem=problem,
            cases=len(self._answered.get(key, ())),
            worst_error=None if problem else self._worst[key],
            bit_identical=not problem and key not in self._different,
            runs=key not in self._broken,
        )

    def _check(self, worker: Worker, key: Key, case: Case) -> None:
        where = f"{key[0]}: {key[1]}: {case.name}"
        try:
            worker.ask("answer", row=key[1], case=case.file, to=OUTPUTS_FILE)
            outputs = read_outputs(self._folder / OUTPUTS_FILE, len(case.expected))
            worst = compare_outputs(where, self._names, outputs, case.expected).worst_error
        except WorkerError as error:
            self._break(key, f"{where}: does not run: {error.problem}")
        except MismatchError as error:
            self._fail(key, str(error))
        else:
            given = [output.tobytes() for output in outputs]
            if self._given.setdefault((key[1], case.file), given) != given:
                self._different.add(key)
            self._answered.setdefault(key, set()).add(case.file)
            self._worst[key] = max(worst, self._worst.get(key, 0.0))


def paired(team: Team, first: str) -> tuple[list[Key], dict[str, str]]:
    """Return the rows that the first environment and at least one other have, and why each other row is left out.

    A row that the first environment cannot load is left out too, since nothing can be compared with it.

    Raises:
        LinregError: two environments have no row in common.
    """
    missing = {f"{name}: {row}": problem for (name, row), problem in team.failed.items() if name == first}
    loaded = {key for key in (*team.rows, *team.failed) if f"{key[0]}: {key[1]}" not in missing}
    wanted = list(dict.fromkeys(row for _, row in (*team.rows, *team.failed)))
    for name in team.workers:
        for row in wanted:
            if (name, row) not in loaded and f"{name}: {row}" not in missing:
                missing[f"{name}: {row}"] = f"{name} has no {'onnxruntime' if row.startswith('onnx') else 'torch'}"
    for name in team.workers:
        if not any((name, row) in loaded and (first, row) in loaded for row in wanted):
            why = "".join(
                f"; {place}: {problem}" for place, problem in missing.items() if place.startswith(f"{name}: ")
            )
            raise no_runtime(name, first, why)
    keys = [
        (name, row)
        for row in wanted
        if (first, row) in loaded and sum((name, row) in loaded for name in team.workers) > 1
        for name in team.workers
        if (name, row) in loaded
    ]
    return keys, missing
