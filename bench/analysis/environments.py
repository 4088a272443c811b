"""What a comparison of Python environments found; the `environments` of bench.json."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.analysis.parts import Name
from bench.analysis.statistics import Ratio, Verdict


@dataclass(frozen=True, kw_only=True)
class EnvironmentVersions:
    """The versions in an environment.

    Attributes:
        name: name of the environment.
        python: version of Python.
        versions: versions of the runtimes, of numpy and of the package of the user's module, by name.
    """

    name: Name
    python: Name
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class EnvironmentAnswers:
    """How the outputs of a row in one environment compare with those expected, and with the first environment's.

    Attributes:
        environment: name of the environment.
        row: name of the row without its environment, such as `onnxruntime-run`.
        problem: what is wrong with its outputs, and where; empty if every output is within tolerance.
        cases: number of cases answered.
        worst_error: largest error in units of the allowed error; None with a problem.
        bit_identical: whether all outputs are bit-identical to those of the first environment.
        runs: False if its file cannot be loaded there, or a call raises an exception; the problem is then no output.
    """

    environment: Name
    row: Name
    problem: Name
    cases: int
    worst_error: float | None
    bit_identical: bool
    runs: bool = True


@dataclass(frozen=True, kw_only=True)
class EnvironmentChange:
    """How the speed of a row in one environment compares with that in the first.

    Attributes:
        environment: name of the environment.
        row: name of the row without its environment.
        threads: intra-op threads.
        batch: batch size.
        ratio: time in this environment over the time in the first, with its interval over sets of processes.
        verdict: the claim that the ratio supports.
    """

    environment: Name
    row: Name
    threads: int
    batch: int
    ratio: Ratio
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Environments:
    """The environments of a benchmark; the first is the reference of the others.

    Attributes:
        found: versions in each environment.
        answers: one entry for each environment and row.
        changes: one entry for each environment but the first, row, thread count and batch size.
        missing: why a row is not timed, by the name of the row.
    """

    found: tuple[EnvironmentVersions, ...]
    answers: tuple[EnvironmentAnswers, ...]
    changes: tuple[EnvironmentChange, ...]
    missing: Mapping[str, str]
