"""What becomes of random modules that are exported, by a check of their files that uses nothing of linreg."""

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

import linreg
from linreg.errors import LinregError
from tests.random_modules import AXES, Recipe, make

RIGHT = 2e-5
"""An answer is right if its error is at most this part of the largest answer, or four times eager's own error."""

TIE = 1e-5
"""A label may differ where the largest logits are as close as this, relative to the largest of all."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one module.

    Attributes:
        recipe: the module.
        refused: the message, if it was refused; '' otherwise.
        by_torch: it was refused, and torch.export alone refuses it too.
        wrong: what is wrong with the answers of the file, by an independent check; '' if they are right.
        error: the largest error of the answers, relative to the largest answer.
        cpu_s: CPU time of the export and the proof.
        sizes: the sizes of batch and sequence at which the answers were checked, none of which the proof tried.
    """

    recipe: Recipe
    refused: str = ""
    by_torch: bool = False
    wrong: str = ""
    error: float = 0.0
    cpu_s: float = 0.0
    sizes: tuple[tuple[int, int], ...] = ()


def tried(recipe: Recipe, folder: Path, budget: str) -> Outcome:
    """Export a module, and check the answers of the file."""
    start = time.process_time()
    try:
        bundle = linreg.export(make(recipe), folder, inputs=recipe.inputs(), budget=budget)
    except LinregError as error:
        cpu_s = time.process_time() - start
        return Outcome(recipe=recipe, refused=str(error), by_torch=torch_refuses(recipe), cpu_s=cpu_s)
    cpu_s = time.process_time() - start
    proof = next(entry.proof for entry in bundle.manifest.files if entry.name == "model.onnx")
    assert proof is not None
    sizes = recipe.sizes(proof["sizes"])
    wrong, error = checked(recipe, folder / "model.onnx", sizes)
    return Outcome(recipe=recipe, wrong=wrong, error=error, cpu_s=cpu_s, sizes=tuple(sizes))


def torch_refuses(recipe: Recipe) -> bool:
    """Whether torch.export, called as its documentation says, refuses the module with these dynamic axes."""
    least, most, step = AXES[recipe.axis]
    rows = torch.export.Dim("batch")
    steps = torch.export.Dim("steps", min=max(1, least // step), max=most and most // step)
    length = steps if step == 1 else step * steps
    arrays = recipe.random(3, 4 * step + least - least % step, np.random.default_rng(0))
    axes = {"x": {0: rows, 1: length}, "mask": {0: rows, 1: length}, "cache": {0: rows}, "lengths": {0: rows}}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    shapes = {name: axes.get(name, {}) for name in tensors}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.export.export(make(recipe), (), tensors, dynamic_shapes=shapes)
        except Exception:  # torch.export raises many classes
            return True
    return False


def checked(recipe: Recipe, path: Path, sizes: Sequence[tuple[int, int]]) -> tuple[str, float]:
    """Compare the answers of a file with a module made again in float64, by torch and onnxruntime alone.

    Returns:
        What is wrong, '' if nothing is; and the largest error, relative to the largest answer.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    narrow, wide = make(recipe), make(recipe).double()
    generator = np.random.default_rng(recipe.seed + 1)
    worst = 0.0
    for rows, length in sizes:
        where = f"batch {rows}, seq {length}"
        arrays = recipe.random(rows, length, generator)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        doubled = {name: each.double() if each.is_floating_point() else each for name, each in tensors.items()}
        with torch.inference_mode():
            exact, eager = leaves(wide(**doubled)), leaves(narrow(**tensors))
        answers = session.run(None, arrays)
        if len(answers) != len(exact):
            return f"{where}: {len(answers)} outputs, expected {len(exact)}", worst
        for answer, value, own in zip(answers, exact, eager, strict=True):
            if answer.shape != tuple(value.shape):
                return f"{where}: shape {answer.shape}, expected {tuple(value.shape)}", worst
            if answer.dtype.kind != "f":
                logits = exact[0].numpy()
                short = logits.max(-1) - np.take_along_axis(logits, answer[..., None], -1)[..., 0]
                if short.max() > TIE * np.abs(logits).max():
                    return f"{where}: a label whose logit is {short.max():.2g} below the largest", worst
                continue
            largest = float(value.abs().max())
            error = float(np.abs(answer - value.numpy()).max()) / largest
            worst = max(worst, error)
            if not error <= max(RIGHT, 4 * float((own.double() - value).abs().max()) / largest):
                return f"{where}: off by {error:.2g} of the largest answer", worst
    return "", worst


def leaves(result: Any) -> list[Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, Tensor):
        return [result]
    values = result.values() if isinstance(result, dict) else result
    return [value for value in values if value is not None]


def table(outcomes: Sequence[Outcome]) -> str:
    """What became of the modules, in Markdown."""
    refused = [outcome for outcome in outcomes if outcome.refused]
    right = [outcome for outcome in outcomes if not outcome.refused and not outcome.wrong]
    seconds = sorted(outcome.cpu_s for outcome in outcomes)
    layers = Counter(layer for outcome in outcomes for layer in outcome.recipe.layers)
    given = Counter(name for outcome in outcomes for name in outcome.recipe.given)
    bare = sum(not outcome.recipe.given for outcome in outcomes)
    worst = max((outcome.error for outcome in right), default=0.0)
    listed = "".join(
        f"- {'wrong' if outcome.wrong else 'torch.export refuses too' if outcome.by_torch else 'false refusal'}: "
        f"{', '.join(outcome.recipe.layers)}; end {outcome.recipe.end}; `{' '.join(outcome.recipe.inputs())}`: "
        f"{outcome.wrong or outcome.refused}\n"
        for outcome in outcomes
        if outcome.wrong or outcome.refused
    )
    return f"""# {len(outcomes)} random modules with two dynamic axes and skipped arguments

| | modules |
|---|---|
| exported and right | {len(right)} |
| wrong | {sum(bool(outcome.wrong) for outcome in outcomes)} |
| refused by linreg, though torch.export captures them | {sum(not outcome.by_torch for outcome in refused)} |
| refused by linreg and by torch.export alone | {sum(outcome.by_torch for outcome in refused)} |

Right: answers of onnxruntime within {RIGHT:g} of the largest answer, or four times eager's own error, of the module in
float64, at three sizes of batch and sequence that the proof did not try. Largest error: {worst:.2g}.
CPU time of export and proof (budget 0s): median {seconds[len(seconds) // 2]:.1f} s, largest {seconds[-1]:.1f} s.

Layers: {", ".join(f"{name} {count}" for name, count in layers.most_common())}.
Optional arguments given: {", ".join(f"{name} {count}" for name, count in given.most_common())}; none in {bare} modules.

{listed}"""
