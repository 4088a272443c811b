"""How inputs become the arguments of forward, and outputs become named tensors."""

from dataclasses import dataclass
from typing import List, Optional  # noqa: UP035  (as users write it)

import pytest
import torch
from torch import Tensor, nn

from export.source.arguments import Arguments, arguments_from_json
from export.source.forward import match_inputs
from export.source.input_text import split_input
from export.source.module_source import from_module
from export.source.outputs import flatten, output_names
from export.source.user_module import parse_input
from linreg.errors import ExportError


class Takes(nn.Module):
    """A module with the signature of a function."""

    def __init__(self, forward):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.forward = forward


def matched(forward, *names):
    inputs = [parse_input(f"{name}=float32[batch,4]") for name in names]
    arguments, entries = match_inputs(Takes(forward), inputs)
    assert [entry.name for entry in entries] == list(arguments.paths)
    return arguments


def optional(x, cache=None, mask=None, flag=False):
    return x


def by_keyword(x, *, mask, shift=None):
    return x


def structured(x, state, batch=None):
    return x


def both(first, second, /, third=None, *, mask=None):
    return first


@pytest.mark.parametrize(
    ("forward", "names", "paths", "positional"),
    [
        (optional, ["x"], ["x"], 1),
        (optional, ["cache", "x"], ["x", "cache"], 2),
        (optional, ["mask", "x"], ["x", "mask"], 0),
        (by_keyword, ["mask", "x"], ["x", "mask"], 0),
        (structured, ["x", "state.1", "state.0"], ["x", "state.0", "state.1"], 2),
        (structured, ["batch.b", "x", "batch.a", "state"], ["x", "state", "batch.b", "batch.a"], 3),
        (both, ["mask", "second", "first"], ["first", "second", "mask"], 2),
        (lambda x, *rest: x, ["b", "a"], ["b", "a"], 2),
        (lambda **given: given, ["b", "a"], ["b", "a"], 0),
        (optional, ["anything"], ["anything"], 1),
        (lambda first=None, second=None: second, ["second"], ["second"], 0),
    ],
)
def test_inputs_are_matched_by_name(forward, names, paths, positional):
    assert matched(forward, *names) == Arguments(paths=tuple(paths), positional=positional)


@pytest.mark.parametrize(
    ("forward", "names", "message"),
    [
        (
            optional,
            ["x", "masc"],
            "forward takes x, cache, mask, flag; got inputs named x, masc: use the argument names",
        ),
        (by_keyword, ["x"], "forward takes x, mask, shift; got 1 inputs: mask is missing"),
        (optional, ["x", "x"], "argument x is given twice"),
        (structured, ["x", "state", "state.0"], "argument state is given both as a tensor and by its part state.0"),
        (structured, ["x", "state.0", "state.2"], "the parts of argument state are 0, 2; expected 0, 1 for a tuple"),
        (structured, ["x", "state.0", "state.h"], "the parts of argument state are 0, h; expected 0, 1"),
        (both, ["second", "mask", "third"], "first is missing"),
        (
            lambda a=None, b=None, /, c=None: c,
            ["b", "c"],
            "takes b by position only, so a before it cannot be left out",
        ),
        (lambda mask=None, **more: mask, ["x", "maks"], "maks"),
    ],
)
def test_inputs_that_do_not_fit_are_named(forward, names, message):
    with pytest.raises(ExportError, match=message):
        matched(forward, *names)


@pytest.mark.parametrize("hint", [list[Tensor], List[Tensor], Optional[list[Tensor]], list, list[Tensor] | None])  # noqa: UP006, UP045
def test_lists_are_refused_with_what_to_write(hint):
    def forward(x, images):
        return x

    forward.__annotations__["images"] = hint
    with pytest.raises(ExportError, match=r"takes images as a list, .* one tensor .*--input 'images.0=float32"):
        matched(forward, "x", "images")
    assert matched(optional, "x")  # an argument that is not given may be one


def test_tensors_are_bound_in_tuples_and_dicts():
    paths = ("x", "state.0", "state.1", "batch.ids", "batch.deep.0", "batch.deep.1")
    args, kwargs = Arguments(paths=paths, positional=1).bind("abcdef")
    assert args == ("a",)
    assert kwargs == {"state": ("b", "c"), "batch": {"ids": "d", "deep": ("e", "f")}}
    assert Arguments(paths=paths, positional=2).bind("abcdef")[0] == ("a", ("b", "c"))


def test_arguments_survive_json():
    arguments = Arguments(paths=("x", "state.0", "state.1"), positional=1)
    assert arguments_from_json(arguments.described()) == arguments


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"paths": ["x"]},
        {"paths": ["x"], "positional": True},
        {"paths": ["x"], "positional": 2},
        {"paths": ["x"], "positional": -1},
        {"paths": ["x"], "positional": 1, "more": 1},
        {"paths": [], "positional": 0},
        {"paths": "x", "positional": 1},
        {"paths": ["x", "x"], "positional": 2},
        {"paths": ["s.1", "s.0"], "positional": 1},
        {"paths": ["s", "s.0"], "positional": 1},
        {"paths": ["a.x", "b", "a.y"], "positional": 2},
        {"paths": ["x\n"], "positional": 1},
        {"paths": ["x" + ".0" * 40], "positional": 1},
    ],
    ids=repr,
)
def test_damaged_arguments_are_refused(value):
    with pytest.raises(ExportError):
        arguments_from_json(value)


def test_the_text_of_an_input_names_a_part():
    assert split_input("1<=batch.ids=int64[batch,8]<50").name == "batch.ids"
    assert split_input("state.0=float32[batch,8]").name == "state.0"
    for text in ("state.=float32[batch]", ".0=float32[batch]", "0.a=float32[batch]"):
        with pytest.raises(ExportError, match="expected NAME=DTYPE"):
            split_input(text)


@dataclass
class Answer:
    logits: Tensor
    loss: Tensor | None
    hidden: tuple[Tensor, ...]


def test_outputs_have_the_names_of_fields_and_keys_without_none():
    one, two, three = (torch.full((2,), float(place)) for place in range(3))
    answer = Answer(one, None, (two, three))
    assert output_names(answer) == ("logits", "hidden.0", "hidden.1")
    assert [int(tensor[0]) for tensor in flatten(answer)] == [0, 1, 2]
    assert output_names({"a": one, "none": None, "b": [two]}) == ("a", "b.0")
    assert output_names((one, None)) == ("output",)
    with pytest.raises(ExportError, match="returns nothing"):
        flatten((None, None))


def test_a_tensor_where_forward_takes_a_tuple_is_told_what_to_write():
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(4, 8)

        def forward(self, x, state):
            return self.cell(x, state)

    inputs = [parse_input("x=float32[batch,4]"), parse_input("state=float32[batch,8]")]
    with pytest.raises(
        ExportError, match=r"state is a tuple; .*'state.0=float32\[batch,8\]' --input 'state.1=float32\[batch,8\]'"
    ):
        from_module(Step(), inputs)


def test_outputs_for_each_row_are_refused_with_what_to_write():
    class PerImage(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, images):
            return [{"boxes": self.layer(one)} for one in images]

    with pytest.raises(
        ExportError, match=r"stack the outputs along the batch axis instead of looping over it, .*--static"
    ):
        from_module(PerImage(), [parse_input("images=float32[batch,4]")])


def test_the_input_keeps_the_name_of_its_argument():
    assert from_module(nn.Linear(4, 2), [parse_input("rows=float32[batch,4]")]).inputs[0].name == "rows"
