"""Two of the random modules that tests/benchmark/long exports by the hundred, and the check of their answers."""

from dataclasses import replace

import pytest

from tests.random_exports import checked, torch_refuses, tried
from tests.random_modules import Recipe

pytestmark = pytest.mark.slow


RECIPES = [
    Recipe(
        ids=True,
        width=6,
        axis="seq:2..",
        layers=("relu", "softmax_seq", "centred"),
        end="both",
        given=("cache", "lengths", "scale"),
        seed=6126,
    ),
    Recipe(
        ids=False, width=4, axis="seq:4..48*4", layers=("cumsum", "tanh"), end="max", given=("mask", "table"), seed=3
    ),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.axis)
def test_file_of_a_random_module_is_right_at_sizes_that_the_proof_did_not_try(recipe, tmp_path):
    outcome = tried(recipe, tmp_path / "net", "0s")
    assert (outcome.refused, outcome.wrong) == ("", "")
    assert len(outcome.sizes) == 3
    other = replace(recipe, seed=recipe.seed + 2)  # the parity of the seed is the dtype of the mask
    assert "off by" in checked(other, tmp_path / "net" / "model.onnx", outcome.sizes)[0]


def test_torch_export_refuses_a_loop_over_the_length_and_captures_the_rest():
    assert torch_refuses(replace(RECIPES[1], layers=("gru",)))
    assert not torch_refuses(RECIPES[1])
