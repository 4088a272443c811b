"""Rows that shared one module would change each other's figures; ours share none (tests/bench/worker/test_building.py).

`module.compile()`, which a compiled row might call on the module of an eager one, changes the eager row altogether; a
living scripted copy of the same module makes it some 1 % faster on the machine where this was written.
"""

import numpy as np
import torch

from bench.analysis.statistics import paired_ratio
from bench.worker.rounds import measure_rounds
from export.formats.quiet import quiet
from export.runners.base import Call
from export.runners.torch import torch_runner
from linreg.models import LinearRegressionModelV2

ROUNDS = 200
REPEATS = 5
ROWS = (np.ones((1, 1), np.float32),)


def beside(module: torch.nn.Module) -> dict[str, Call]:
    return {}


def scripted(module: torch.nn.Module) -> dict[str, Call]:
    with quiet():
        return {"scripted": torch_runner("scripted", torch.jit.script(module)).bind(ROWS)}


def compiled(module: torch.nn.Module) -> dict[str, Call]:
    module.compile(backend="eager")
    return {}


def ratio_to_fresh(share) -> float:
    """Eager on a module that `share` was given, over eager on a fresh one: the median of several pairs."""
    found = []
    for seed in range(REPEATS):
        module, fresh = (LinearRegressionModelV2(1).eval() for _ in range(2))
        calls = {"fresh": torch_runner("fresh", fresh).bind(ROWS), "shared": torch_runner("shared", module).bind(ROWS)}
        blocks = measure_rounds({**calls, **share(module)}, rounds=ROUNDS, seed=seed)
        found.append(paired_ratio(blocks["shared"].call_s, blocks["fresh"].call_s).estimate)
    return float(np.median(found))


def test_sharing_a_module_changes_the_ratio(benchmark):
    torch.set_num_threads(1)
    ratios = benchmark.pedantic(lambda: [ratio_to_fresh(share) for share in (beside, scripted, compiled)], rounds=1)
    benchmark.extra_info.update(own_modules=ratios[0], scripted_in_place=ratios[1], compiled_in_place=ratios[2])
    if not benchmark.disabled:
        assert abs(ratios[0] - 1) < 0.005
        assert ratios[2] > 1.2
