"""The card says between which values each feature lay."""

import csv
import json

import pytest

import linreg
from linreg.card import card_from_json
from linreg.errors import ModelError
from tests.conftest import PENGUINS

FEATURES = ("bill_length_mm", "flipper_length_mm")


def written(features: tuple[str, ...], low: list[float], high: list[float]) -> list[dict[str, object]]:
    return [
        {"name": name, "minimum": least, "maximum": most} for name, least, most in zip(features, low, high, strict=True)
    ]


@pytest.mark.parametrize("options", [{}, {"method": "sgd", "epochs": 2}])
def test_a_table_counts_its_complete_rows(options):
    with PENGUINS.open() as file:
        rows = [row for row in csv.DictReader(file) if "NA" not in {row[name] for name in (*FEATURES, "body_mass_g")}]
    columns = [[float(row[name]) for row in rows] for name in FEATURES]
    fitted = linreg.fit(PENGUINS, target="body_mass_g", features=FEATURES, **options)
    assert fitted.card.data["ranges"] == written(FEATURES, list(map(min, columns)), list(map(max, columns)))


def test_rows_without_a_value_do_not_count(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,-7,1\n2,5,2\n900,NA,3\n3,4,4.5\n-900,1,NA\n2,2,2\n")
    fitted = linreg.fit(tmp_path / "t.csv", target="c", split="1")
    assert fitted.card.data["ranges"] == written(("a", "b"), [1.0, -7.0], [3.0, 5.0])


def test_a_line_has_one_and_the_saved_card_keeps_it(tmp_path):
    fitted = linreg.fit(linreg.straight_line(start=-2, end=3, step=0.5), epochs=1)
    fitted.save(tmp_path / "line")
    saved = json.loads((tmp_path / "line" / "card.json").read_text())
    assert saved["data"]["ranges"] == written(("x",), [-2.0], [2.5])
    assert linreg.load(tmp_path / "line").card.data["ranges"] == saved["data"]["ranges"]


@pytest.mark.parametrize("ranges", [3, [3], [{"name": "x", "minimum": 0}], [{"name": 1, "minimum": 0, "maximum": 1}]])
def test_ranges_of_another_form_are_refused(tmp_path, ranges):
    value = json.loads((PENGUINS.parents[2] / "artifacts/reference/line/card.json").read_text())
    value["data"]["ranges"] = ranges
    with pytest.raises(ModelError, match="train again"):
        card_from_json(tmp_path / "card.json", value)


def test_an_earlier_card_has_none(tmp_path):
    value = json.loads((PENGUINS.parents[2] / "artifacts/reference/line/card.json").read_text())
    del value["data"]["ranges"]
    assert card_from_json(tmp_path / "card.json", value).features == ("x",)
