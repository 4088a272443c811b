"""The card of a module: the same after writing and reading, and strict about what a stranger may have written."""

import json
from pathlib import Path

import pytest

from linreg.errors import ModelError
from linreg.module_card import CardAxis, CardInput, CardOutput, ModuleCard, is_relative_place
from linreg.module_card_file import module_card_from_json, module_card_to_json

PATH = Path("net/card.json")
IDS = CardInput(argument="ids", name="tokens", dtype="int64", shape=("batch", "seq"), least=1, below=50)
MASK = CardInput(argument="mask", name="mask", dtype="float32", shape=("batch", "seq", 4))
CARD = ModuleCard(
    code="nets.py:make_net",
    state_sha256="0" * 64,
    inputs=(IDS, MASK),
    axes=(CardAxis(name="batch"), CardAxis(name="seq", least=2, most=513, step=2)),
    outputs=(CardOutput(name="score", shape=("batch", None, 3)),),
)


def values(**changes):
    return json.loads(json.dumps(module_card_to_json(CARD))) | changes


def test_a_card_is_the_same_after_writing_and_reading():
    assert module_card_from_json(PATH, values()) == CARD
    assert [entry.text for entry in CARD.inputs] == ["1<=ids=int64[batch,seq]<50", "mask=float32[batch,seq,4]"]


def changed(key, place, **changes):
    entries = values()[key]
    entries[place] |= changes
    return {key: entries}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 3}, "has schema 3, this linreg reads up to 2; update linreg"),
        ({"command": "rm"}, "unexpected keys ['command']"),
        ({"code": 1}, "'code' is int, expected str"),
        ({"code": "/home/alice/nets.py:make"}, "expected a relative place such as nets.py:make_net"),
        ({"code": "../alice/nets.py:make"}, "expected a relative place"),
        ({"code": "~alice/nets.py:make"}, "expected a relative place"),
        ({"code": "C:\\..\\nets.py:make"}, "expected a relative place"),
        ({"code": "nets.py:\x1b[31mmake"}, "expected a relative place"),
        ({"code": "n" * 1001}, "'code' has 1001 characters"),
        ({"inputs": {}}, "'inputs' is dict, expected list"),
        ({"inputs": []}, "it has no input"),
        ({"inputs": [1]}, "'inputs' holds int"),
        ({"outputs": [{"name": "y"}]}, "'outputs' has no 'shape'"),
        ({"outputs": [{"name": f"y{place}", "shape": []} for place in range(10_001)]}, "has 10001 entries"),
        (changed("inputs", 0, dtype="object"), "'tokens' is 'object', expected a dtype of"),
        (changed("inputs", 0, shape=["batch", 2**60]), "expected a size or a name"),
        (changed("inputs", 0, shape=["batch", -1]), "expected a size or a name"),
        (changed("inputs", 0, shape=["batch", True]), "expected a size or a name"),
        (changed("inputs", 0, shape=["batch", 1.5]), "expected a size or a name"),
        (changed("inputs", 0, shape=["batch", 2**20, 2**10]), "elements, more than any real input"),
        (changed("outputs", 0, shape=[None, 0.5]), "expected a size or a name"),
        (changed("inputs", 0, shape=["batch"] * 12), "elements, more than any real input"),
        (changed("axes", 0, least=0), "the axis 'batch' has no possible size"),
        (changed("inputs", 0, shape=["rows"]), "has the axis 'rows', which is not listed"),
        (changed("inputs", 1, name="tokens"), "a name is used twice"),
        (changed("inputs", 0, least=None), "are not a range of int64"),
        (changed("inputs", 0, least=50), "are not a range of int64"),
        (changed("inputs", 0, below=2**70), "are not a range of int64"),
        (changed("inputs", 1, least=0, below=2), "'mask' is float32, but has limits of integers"),
        (changed("axes", 1, step=0), "the axis 'seq' has no possible size"),
        (changed("axes", 1, most=1), "the axis 'seq' has no possible size"),
        (changed("axes", 1, least=2**62), "the axis 'seq' has no possible size"),
    ],
)
def test_a_card_that_says_the_impossible_is_refused(changes, message):
    with pytest.raises(ModelError) as caught:
        module_card_from_json(PATH, values(**changes))
    text = str(caught.value)
    assert text.startswith("net/card.json: ")
    assert message in text
    assert text.isprintable()
    assert len(text) < 300


def test_the_sizes_of_an_axis():
    batch, seq = CARD.axes
    assert (batch.sizes, seq.sizes) == ("1 or more", "2 to 513 in steps of 2")
    assert [size for size in (0, 1, 4096) if batch.has(size)] == [1, 4096]
    assert [size for size in (0, 1, 2, 3, 512, 513, 514) if seq.has(size)] == [2, 512]


def test_a_place_outside_the_folder_is_not_relative():
    assert is_relative_place("src/nets.py:make_net")
    assert is_relative_place("package.module:Net")
    assert not any(map(is_relative_place, ["/a.py:n", "../a.py:n", "a/../../b.py:n", "~/a.py:n", "", "a\n.py:n"]))
