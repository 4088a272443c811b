"""model.c on each processor: the bits of the vectors, or how far from them, and what a wrong model shows."""

import re
from pathlib import Path

import pytest
import torch

from export.bundle.export import export
from tests.deploy.processors import REFERENCE, ROOT
from tests.processors.conftest import answers, check, sources

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["penguins", "line"])
def test_committed_bundles_are_bit_equal(target, name):
    assert answers(target, REFERENCE / name) == ("5 passed", "bit-equal")


def test_the_cost_of_a_call_repeats(target):
    (line,) = sources(REFERENCE / "line")
    first, second = (check.costs(target, line) for _ in range(2))
    assert first == second
    code, _, _, stack, instructions = first
    assert 0 < int(code.removesuffix(" B")) < 200
    assert 0 <= int(stack.removesuffix(" B")) < 200
    assert 10 < int(instructions) < 2000


def test_the_readme_has_the_figures_of_the_penguins(target):
    """The Cortex-M3 shares a column with the M4 in soft float; its instructions are the first of two."""
    title, *lines = re.findall(r"^\|(.*)\|$", README[README.index("| | aarch64") :], re.MULTILINE)[:6]
    columns = [cell.strip() for cell in title.split("|")]
    shared = target.name.startswith(("Cortex-M3", "Cortex-M4, "))
    name = "Cortex-M3 / M4, soft float" if shared else target.name.removesuffix(", hard float")
    place = columns.index(name.replace(", big-endian", " (big-endian)"))
    vectors, size, stack, instructions = (line.split("|")[place].strip() for line in lines[1:])
    (penguins,) = sources(REFERENCE / "penguins")
    code, data, _, stack_found, found = check.costs(target, penguins)
    assert vectors == "bit-equal"
    assert size.partition(",")[0] == f"{int(code[:-2]) + int(data[:-2])} B"
    assert stack == stack_found
    assert found == instructions.split(" / ")[0 if target.name.startswith("Cortex-M3") else -1]


def test_float64_of_another_prefix_is_run(target, tmp_path):
    folder = tmp_path / "double"
    export(REFERENCE / "penguins", folder, formats="c", dtype="float64", prefix="penguins")
    vectors, near = answers(target, folder)
    assert (vectors, near == "bit-equal") == ("5 passed", not target.board)


def change(bundle: Path, pattern: str, replacement: str) -> None:
    """Change model.c, once."""
    source = bundle / "model.c"
    changed, count = re.subn(pattern, replacement, source.read_text(), flags=re.DOTALL)
    assert count == 1
    source.write_text(changed)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r" = sum \+ linreg_bias\[place\]", " = sum; (void)linreg_bias"),
        (r"(0x1\.06a3d8p\+1f), (0x1\.4aa298p\+4f)", r"\2, \1"),
        (r"0x1\.06a3d8p\+1f", "0x1.06a3d8p+2f"),
    ],
    ids=["dropped bias", "swapped features", "one bit of an exponent"],
)
def test_a_wrong_model_fails(target, bundle, pattern, replacement):
    change(bundle, pattern, replacement)
    with pytest.raises(check.CheckError, match="ended with 1: failed: test_data_set_"):
        answers(target, bundle)


def test_the_last_bit_of_a_weight_is_seen(target, bundle):
    change(bundle, r"0x1\.06a3d8p\+1f", "0x1.06a3dap+1f")
    assert answers(target, bundle)[1].startswith("0.")


def linear(folder: Path, features: int, dtype: torch.dtype) -> Path:
    torch.manual_seed(features)
    kind = str(dtype).removeprefix("torch.")
    module = torch.nn.Linear(features, 2, dtype=dtype)
    export(module, folder / "linear", inputs=[f"x={kind}[batch,{features}]"], formats=["onnx", "c"])
    return folder / "linear"


def test_256_features_are_bit_equal(target, tmp_path):
    """Two outputs, so that infinite inputs give NaN, whose bits differ by processor."""
    assert answers(target, linear(tmp_path, 256, torch.float32)) == ("5 passed", "bit-equal")


def test_float64_is_bit_equal_but_on_newlib_whose_fma_is_not_fused(target, tmp_path):
    vectors, near = answers(target, linear(tmp_path, 13, torch.float64))
    assert vectors == "5 passed"
    if target.board:
        assert re.fullmatch(r"0\.\d+ of allowed", near)
    else:
        assert near == "bit-equal"
