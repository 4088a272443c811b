"""The metadata of a file says between which values each feature lay, in the order of the features."""

import csv
import json
from dataclasses import replace

import onnx
import pytest

from export.formats.c import to_c
from export.formats.c_text import read_c
from export.formats.onnx import to_onnx
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from tests.conftest import FEATURES, PENGUINS, ROOT


def ranges(checkpoint):
    model = onnx.load_model_from_string(to_onnx(from_checkpoint(checkpoint)))
    texts = {entry.key: entry.value for entry in model.metadata_props}
    return json.loads(texts["linreg.ranges"]) if "linreg.ranges" in texts else None


def test_they_are_those_of_the_complete_rows(penguins):
    with PENGUINS.open() as file:
        complete = [row for row in csv.DictReader(file) if row["flipper_length_mm"] != "NA"]
    columns = [[float(row[name]) for row in complete] for name in FEATURES.split(",")]
    expected = [[min(column), max(column)] for column in columns]
    assert ranges(load(penguins)) == expected
    assert read_c("model.c", to_c(from_checkpoint(load(penguins)))).metadata["ranges"] == expected


@pytest.mark.parametrize("bundle", ["line", "penguins"])
def test_they_have_every_digit_of_the_card(bundle):
    checkpoint = load(ROOT / "artifacts" / "reference" / bundle)
    listed = json.loads((checkpoint.path.parent / "card.json").read_text())["data"]["ranges"]
    assert ranges(checkpoint) == [[entry["minimum"], entry["maximum"]] for entry in listed]


def test_they_follow_the_features_not_the_card(penguins):
    checkpoint = load(penguins)
    card = checkpoint.card
    backwards = replace(card, data=card.data | {"ranges": card.data["ranges"][::-1]})
    assert ranges(replace(checkpoint, card=backwards)) == ranges(checkpoint)


def test_a_card_without_the_range_of_a_feature_gives_none(penguins):
    checkpoint = load(penguins)
    card = checkpoint.card
    for listed in ({}, {"ranges": []}, {"ranges": card.data["ranges"][1:]}):
        data = {key: value for key, value in card.data.items() if key != "ranges"} | listed
        assert ranges(replace(checkpoint, card=replace(card, data=data))) is None
