"""Plant 50 faults into each of five real networks, and write PLANTED.md: which are caught by the default budget.

Usage: python -m tests.real.planted [NAME ...]
"""

import sys
import time
from pathlib import Path

from bench.environment import describe_environment
from export.source.module_source import from_module
from export.source.user_module import parse_input
from tests.planted_faults import listed_faults, survey, table
from tests.real import nets
from tests.real.networks import NETWORKS

COUNT = 50
SEED = 3
FIVE = ("bert", "gpt2", "convnext", "wav2vec2", "tabular_transformer")


def main() -> None:
    """Plant, and write the table after each network."""
    start, surveys = time.perf_counter(), {}
    for network in (each for each in NETWORKS if each.name in (sys.argv[1:] or FIVE)):
        source = from_module(getattr(nets, network.name)().eval(), [parse_input(text) for text in network.inputs])
        surveys[network.name] = survey(source, COUNT, SEED)
        machine = describe_environment()
        versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        text = f"""# {COUNT} faults planted into each of {len(surveys)} real networks

Refused because of the content of a tensor + because of an output, of those planted. Accepted: nothing says that the
file may be wrong. Made by `python -m tests.real.planted` in the environment of `make real`, in
{time.perf_counter() - start:.0f} s on {machine.processor} ({machine.cores} cores), Python {machine.python}, {versions}.

{table(surveys)}

Listed: accepted, in a number that the manifest names as proved by outputs alone (`weights.constants`).

"""
        Path(__file__).with_name("PLANTED.md").write_text(text + listed_faults(surveys))


if __name__ == "__main__":
    main()
