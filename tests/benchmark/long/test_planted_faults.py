"""Plant 50 faults into each of five small networks; each is refused, or the proof names what it does not prove.

`--planted-faults FILE` writes the table; artifacts/reference/benchmarks/planted_faults.md is such a file.
"""

import time

from bench.environment import describe_environment
from export.source.module_source import from_module
from export.source.user_module import parse_input
from tests.planted_faults import listed_faults, survey, table
from tests.small_networks import NETWORKS, make

COUNT = 50
SEED = 2


def test_every_fault_is_refused_or_its_place_is_named(benchmark, request):
    start, machine = time.perf_counter(), describe_environment()
    surveys = {}

    def plant() -> None:
        for kind, text in NETWORKS.items():
            surveys[kind.__name__] = survey(from_module(make(kind), [parse_input(text)]), COUNT, SEED)

    benchmark.pedantic(plant, rounds=1)
    outcomes = {(name, kind): outcome for name, kinds in surveys.items() for kind, outcome in kinds.items()}
    assert sum(outcome.planted for outcome in outcomes.values()) == COUNT * len(NETWORKS)
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    text = f"""# {COUNT} faults planted into each of {len(NETWORKS)} networks

Refused because of the content of a tensor + because of an output, of those planted.
`pytest tests/benchmark/long/test_planted_faults.py --planted-faults FILE`, {time.perf_counter() - start:.0f} s with
other work beside it on {machine.processor} ({machine.cores} cores), Python {machine.python}, {versions}.

{table(surveys)}

Listed: accepted, in a number that the manifest names as proved by outputs alone (`weights.constants`).

{listed_faults(surveys)}"""
    if path := request.config.getoption("--planted-faults"):
        path.write_text(text, encoding="utf-8")
    assert {key: outcome.accepted for key, outcome in outcomes.items() if outcome.accepted} == {}
