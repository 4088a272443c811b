"""deploy/web shows a prediction only for what its form holds, and only of the bundle that is shown."""

import shutil
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from tests.deploy.browser import planted, proof, watch
from tests.deploy.bundles import FEATURES, REFERENCE
from tests.deploy.javascript import WEIGHT_FAULTS
from tests.deploy.penguin_predictions import first_prediction, prediction_at_first

PENGUINS = "artifacts/reference/penguins"
PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))

RECORD = """
window.seen = [];
const look = () => {
  if (document.getElementById('model').hidden) return;
  const fields = document.querySelectorAll('form input').length;
  window.seen.push(`${fields} ${document.getElementById('prediction').title || '-'}`);
  const chart = document.querySelector('#chart svg');
  if (chart) window.seen.push(`${fields} ${chart.getAttribute('aria-label').slice(0, 12)}`);
};
const everything = { subtree: true, childList: true, attributes: true, characterData: true };
new MutationObserver(look).observe(document.body, everything);
"""
"""Every pair of a form and a prediction or a chart that stands in the page together."""


def test_one_bundle_never_stands_under_anothers_form(page, site):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    page.evaluate(RECORD)
    page.set_input_files("#folder", REFERENCE / "line")
    expect(page.locator("#prediction")).to_have_attribute("title", "0.643945456")
    expect(page.get_by_role("img", name="Line of y over x")).to_be_visible()
    seen = page.evaluate("window.seen")
    assert "1 0.643945456" in seen and "1 Line of y ov" in seen
    assert not [pair for pair in seen if pair.startswith("1 3191") or pair == "1 Contribution"], seen


def test_nothing_of_a_bundle_is_left_where_the_next_fails(page, site, tmp_path):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert proof(page)[0].startswith("✓ Proved")
    broken = tmp_path / "broken"
    broken.mkdir()
    shutil.copy(REFERENCE / "line" / "card.json", broken)
    page.set_input_files("#folder", broken)
    expect(page.locator("#status")).to_have_text(
        "'broken' has no model.onnx and no model.mjs; choose the folder of a bundle, exported with --format onnx or js"
    )
    for name in ("model", "proof"):
        expect(page.locator(f"#{name}")).to_be_hidden()
    for name in ("features", "target", "chart", "timing", "verdict"):
        assert page.text_content(f"#{name}") == "", name
    assert page.text_content("#prediction") == "–"
    page.set_viewport_size({"width": 700, "height": 800})
    page.set_input_files("#folder", REFERENCE / "line")
    expect(page.locator("#prediction")).to_have_attribute("title", "0.643945456")


def test_the_last_of_two_bundles_is_shown(page, site):
    """The first one's model comes after the second was chosen; a third that is not there is said."""
    seen = watch(page)
    with ExitStack() as held:
        page.route("**/penguins/model.onnx", lambda route: held.callback(route.continue_))
        page.goto(site.page_of(PENGUINS, **PENGUIN))
        expect(page.locator("#status")).to_have_text("Loading…")
        page.wait_for_timeout(300)
        page.set_input_files("#folder", REFERENCE / "line")
    expect(page.locator("#status")).to_contain_text("line: 1 feature")
    expect(page.locator("#prediction")).to_have_attribute("title", "0.643945456")
    assert page.locator("form input").count() == 1
    assert seen.errors == []


@pytest.mark.parametrize("text", ["", "1e999"])
def test_an_empty_field_shows_no_bars_whatever_the_size(page, site, text):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#chart svg")).to_be_visible()
    field = page.get_by_role("textbox", name="bill_depth_mm", exact=True)
    field.fill(text) if text == "" else (field.fill(""), field.press_sequentially(text))
    for width in (500, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        assert page.locator("#chart *").count() == 0
        assert page.inner_text("#prediction") == "–"
    field.fill("18.7")
    expect(page.locator("#chart svg")).to_be_visible()


def test_a_start_that_is_no_number_shows_no_prediction(page, site):
    page.goto(site.page_of(PENGUINS, bill_length_mm="many"))
    expect(page.locator("#feature-0-error")).to_have_text("Type a number, such as 39.1")
    expect(page.locator("#prediction")).to_have_text("–")
    assert page.locator("#chart *").count() == 0


def test_values_beyond_the_type_are_said_and_large_ones_stay_in_the_chart(page, site):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    field = page.get_by_role("textbox", name="bill_depth_mm", exact=True)
    field.fill("1e38")
    expect(page.locator("#chart")).to_have_text("This gives Infinity: the values exceed what float32 holds.")
    assert page.inner_text("#prediction") == "–"
    page.set_viewport_size({"width": 700, "height": 800})
    field.fill("-1e30")
    expect(page.locator("#chart svg")).to_contain_text("20.66 × −1e+30 = −2.066e+31")
    inside = "[...document.querySelectorAll('#chart text')].every((text) => text.getBBox().x >= 0)"
    assert page.evaluate(inside)


def test_a_model_that_is_not_the_listed_one_gives_no_prediction(page, site, request):
    address, bundle = planted(site, request)
    WEIGHT_FAULTS["one bit of a weight"](bundle)
    page.goto(site.page_of(address))
    expect(page.locator("#status")).to_contain_text("model.onnx: has sha256")
    expect(page.locator("#model")).to_be_hidden()
    assert proof(page)[0] == "✗ Not proved: 0 passed, 1 failed. No test vector was run."


def test_sums_that_contradict_the_manifest_are_refused(page, site, request):
    address, bundle = planted(site, request)
    sums = bundle / "SHA256SUMS"
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:-1]))
    page.goto(site.page_of(address))
    expect(page.locator("#status")).to_contain_text("test_data_set_4/output_0.pb, but SHA256SUMS does not")
    assert proof(page)[0] == "✗ Not proved: 0 passed, 1 failed. No test vector was run."
    (bundle / "manifest.json").unlink()
    page.goto(site.page_of(address))
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
