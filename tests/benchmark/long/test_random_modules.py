"""Export 200 random modules with two dynamic axes and skipped arguments: none wrong, none refused without need.

`--random-modules FILE` writes the counts; artifacts/reference/benchmarks/random_modules.md is such a file.
"""

from bench.environment import describe_environment
from tests.random_exports import table, tried
from tests.random_modules import recipes

COUNT = 200
BUDGET = "0s"


def test_random_modules_are_right_and_none_is_refused_that_torch_captures(benchmark, request, tmp_path):
    machine = describe_environment()
    outcomes = []

    def export_all() -> None:
        for place, recipe in enumerate(recipes(COUNT)):
            outcomes.append(tried(recipe, tmp_path / str(place), BUDGET))

    benchmark.pedantic(export_all, rounds=1)
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    text = f"""{table(outcomes)}
Measured by `pytest tests/benchmark/long/test_random_modules.py --random-modules FILE` on {machine.processor}
({machine.cores} cores), Python {machine.python}, {versions}.
"""
    if path := request.config.getoption("--random-modules"):
        path.write_text(text, encoding="utf-8")
    assert len(outcomes) == COUNT
    assert [(outcome.recipe, outcome.wrong) for outcome in outcomes if outcome.wrong] == []
    assert [(o.recipe, o.refused) for o in outcomes if o.refused and not o.by_torch] == []
