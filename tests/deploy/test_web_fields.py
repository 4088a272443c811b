"""deploy/web reads numbers strictly, warns outside the range of the data, and shows the digits that are justified."""

import json
import math
import re

import pytest
from playwright.sync_api import expect

from tests.deploy.browser import planted, watch
from tests.deploy.bundles import FEATURES, REFERENCE
from tests.deploy.javascript import WEB, node, seal
from tests.deploy.penguin_predictions import first_prediction

PENGUINS = "artifacts/reference/penguins"
PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))

REFUSED = {
    "39,1": "Type 39.1, with a point",
    "-0,5": "Type -0.5, with a point",
    "1,234": "Type 1.234 or 1234: a comma may mean either",
    "1,234.5": "Type a number, such as 39.1",
    "39.1 mm": "Type a number, such as 39.1",
    "1 000": "Type a number, such as 39.1",
    "0x10": "Type a number, such as 39.1",
    "١٢": "Type a number, such as 39.1",
    "nan": "Type a number, such as 39.1",
    "Infinity": "Type a number, such as 39.1",
    "1e": "Type a number, such as 39.1",
    " ": "Type a number, such as 39.1",
    "1e40": "Too large: float32 holds at most 3.4028235e+38",
    "-1e40": "Too large: float32 holds at most 3.4028235e+38",
    "1e999": "Too large: float32 holds at most 3.4028235e+38",
}
READ = {"39.1": 39.1, " 39.1 ": 39.1, "\u2212500": -500, "+3": 3, ".5": 0.5, "5.": 5, "1e3": 1000, "1E-3": 0.001}


@pytest.mark.parametrize("text", ["39,1", "1,234", "39.1 mm", "1e40"])
def test_what_is_not_read_is_said_beside_its_field_and_not_predicted(page, site, text):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#chart svg")).to_be_visible()
    field = page.get_by_role("textbox", name="bill_length_mm", exact=True)
    field.fill("")
    field.press_sequentially(text)
    expect(page.locator("#feature-0-error")).to_have_text(REFUSED[text])
    assert field.input_value() == text and field.get_attribute("aria-invalid") == "true"
    assert page.inner_text("#prediction") == "–" and page.get_attribute("#prediction", "title") is None
    assert page.inner_text("#error") == "" and page.locator("#chart *").count() == 0


IN_NODE = """
import { readFileSync } from 'node:fs';
import { parseNumber } from './form.mjs';
import { justified } from '../js/numbers.mjs';
const { texts, type, rounded } = JSON.parse(readFileSync(0));
const found = texts.map((text) => parseNumber(text, type));
console.log(JSON.stringify([found, rounded.map(([value, error, type]) => justified(value, error, type))]));
"""


def in_node(texts: list[str], rounded: list[tuple[float, float, str]], type_: str = "float32") -> list[list]:
    work = json.dumps({"texts": texts, "type": type_, "rounded": rounded}).encode()
    ended = node("--input-type=module", "-e", IN_NODE, data=work, folder=WEB)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_every_text_is_a_number_or_is_refused():
    found, _ = in_node([*REFUSED, *READ], [])
    assert found == [{"problem": problem} for problem in REFUSED.values()] + [{"value": v} for v in READ.values()]


def test_a_float64_takes_more_than_a_float32():
    found, _ = in_node(["1e40", "1e309"], [], "float64")
    assert found == [{"value": 1e40}, {"problem": "Too large: float64 holds at most 1.7976931348623157e+308"}]


def test_values_outside_the_data_are_warned_of_and_still_predicted(page, site):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    hint = page.locator("#feature-0-range")
    expect(hint).to_have_text("32.1 to 59.6 in the model’s data")
    expect(page.locator("#feature-2-range")).to_have_text("172 to 231 in the model’s data")
    field = page.get_by_role("textbox", name="bill_length_mm", exact=True)
    for text, outside in (("-500", True), ("32.1", False), ("32.0999", True), ("59.6", False), ("59.61", True)):
        field.fill(text)
        wanted = "⚠ Outside the model’s data, 32.1 to 59.6" if outside else "32.1 to 59.6 in the model’s data"
        expect(hint).to_have_text(wanted)
        assert ("warn" in hint.get_attribute("class")) is outside, text
        expect(page.locator("#chart svg")).to_be_visible()
    assert field.get_attribute("aria-describedby") == "feature-0-range feature-0-error"


def test_a_phone_is_offered_its_digits_where_no_minus_is_needed(page, site):
    page.goto(site.page_of(PENGUINS))
    assert page.get_attribute("#feature-0", "inputmode") == "decimal"
    page.goto(site.page_of("artifacts/reference/line"))
    expect(page.locator("#feature-0-range")).to_have_text("0 to 0.98 in the model’s data")


def test_the_digits_are_those_that_the_error_justifies(page, site):
    rmse = json.loads((REFERENCE / "penguins/card.json").read_text())["metrics"]["test"]["rmse"]
    assert 100 < rmse < 1000  # so tens are shown
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_text(f"{round(float(first_prediction()), -1):.0f}")
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    expect(page.locator("#error")).to_have_text("typical error 400: the RMSE of 69 test rows")
    page.goto(site.page_of("artifacts/reference/line", x=0.5))
    expect(page.locator("#prediction")).to_have_text("0.65091")
    expect(page.locator("#prediction")).to_have_attribute("title", "0.650913537")


def test_the_last_digit_counts_a_tenth_of_the_first_digit_of_the_error():
    cases = [(3191.08765, error, "float64") for error in (1e-30, 3e-4, 0.09, 0.1, 1, 9.99, 10, 398, 1e3, 5e4, 1e5, 1e9)]
    cases += [(-value, error, type_) for value, error, type_ in cases] + [(9.9996, 0.01, "float64"), (0, 3, "float32")]
    _, shown = in_node([], cases)
    for text, (value, error, _) in zip(shown, cases, strict=True):
        step = 10.0 ** (math.floor(math.log10(error)) - 1)
        assert abs(float(text) - value) <= step / 2 * (1 + 1e-9), (text, value, error)
        assert len(text) <= len(repr(float(value))) and not text.startswith("-0.0") and text != "-0", (
            text,
            value,
            error,
        )
    assert in_node([], [(0.6509135365486145, 3.7e-4, "float32"), (0.65, 1e-300, "float64")])[1] == ["0.65091", "0.65"]


def test_a_changed_card_is_told_and_the_model_still_predicts(page, site, request):
    address, bundle = planted(site, request)
    card = bundle / "card.json"
    card.write_text(card.read_text().replace("32.1", "1.1"))
    page.goto(site.page_of(address, **PENGUIN))
    expect(page.locator("#notes")).to_contain_text("The ranges and the error are not shown: card.json: has sha256")
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    expect(page.locator("#feature-0-range")).to_have_text("")


@pytest.mark.parametrize("change", ["no ranges", "hostile", "not JSON", "no card"])
def test_a_card_of_another_form_shows_no_ranges(page, site, request, change):
    address, bundle = planted(site, request)
    card = json.loads((bundle / "card.json").read_text())
    del card["data"]["ranges"]
    if change == "hostile":
        card["data"]["ranges"] = [None, 3, {"name": FEATURES[0], "minimum": "<b>", "maximum": 3}, {"name": []}]
        card["metrics"] = {"test": {"rmse": -3, "rows": "<i>"}}
    (bundle / "card.json").write_text("[" if change == "not JSON" else json.dumps(card))
    if change == "no card":
        (bundle / "card.json").unlink()
    seal(bundle)
    seen = watch(page)
    page.goto(site.page_of(address, **PENGUIN))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    expect(page.locator("#feature-0-range")).to_have_text("")
    assert ("is not JSON" in page.inner_text("#notes")) is (change == "not JSON")
    assert ("typical error" in page.inner_text("#error")) is (change == "no ranges")
    assert seen.errors == []


def test_a_field_holds_the_middle_of_its_range_at_first(page, site, request):
    page.goto(site.page_of(PENGUINS, bill_depth_mm=14))
    expect(page.locator("#chart svg")).to_be_visible()
    assert [page.input_value(f"#feature-{place}") for place in range(3)] == ["45.9", "14", "202"]
    assert page.locator(".hint.warn").count() == 0
    page.locator("#feature-0").fill("45.8")
    expect(page.locator("#chart svg")).to_have_attribute(
        "aria-label", re.compile(f"; sum, body_mass_g {page.inner_text('#prediction')}$")
    )
    address, bundle = planted(site, request)
    card = json.loads((bundle / "card.json").read_text())
    ends = [(1000.4, 1000.5), (-3.0, 1.0), (-1.7e308, 1.7e308)]
    card["data"]["ranges"] = [
        {"name": name, "minimum": low, "maximum": high} for name, (low, high) in zip(FEATURES, ends, strict=True)
    ]
    (bundle / "card.json").write_text(json.dumps(card))
    seal(bundle)
    page.goto(site.page_of(address))
    expect(page.locator("#chart svg")).to_be_visible()
    assert [page.input_value(f"#feature-{place}") for place in range(3)] == ["1000.45", "-1", "0"]
    assert [page.get_attribute(f"#feature-{place}", "inputmode") for place in range(3)] == ["decimal", "text", "text"]
