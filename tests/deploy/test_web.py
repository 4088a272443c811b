"""deploy/web in Debian's chromium: it loads a bundle and predicts, for a mouse, a keyboard and a phone."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from playwright.sync_api import expect

from tests.deploy.browser import planted, proof, watch
from tests.deploy.bundles import FEATURES, REFERENCE
from tests.deploy.javascript import seal
from tests.deploy.penguin_predictions import first_prediction, prediction_at_first, prediction_of

PENGUINS = "artifacts/reference/penguins"
PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))


def test_it_predicts_what_python_predicts(page, site):
    seen = watch(page)
    page.goto(site.page_of(PENGUINS))
    for name, value in PENGUIN.items():
        page.get_by_role("textbox", name=name, exact=True).fill(str(value))
    expect(page.get_by_role("img", name="Contribution of each feature")).to_have_attribute(
        "aria-label", "Contribution of each feature: bill_length_mm +80.23; bill_depth_mm +386.4; "
        "flipper_length_mm +9203; bias −6478; sum, body_mass_g 3190",
    )  # fmt: skip
    row = np.array([list(PENGUIN.values())], np.float32)
    session = onnxruntime.InferenceSession(REFERENCE / "penguins/model.onnx", providers=["CPUExecutionProvider"])
    ((wanted,),) = session.run(None, {"input": row})[0]
    weight, bias = (
        onnx.numpy_helper.to_array(t) for t in onnx.load(REFERENCE / "penguins/model.onnx").graph.initializer
    )
    allowed = (3 + 4) * 2.0**-24 * float(np.abs(weight.astype(float) * row).sum() + abs(float(bias[0])))
    assert float(page.get_attribute("#prediction", "title")) == pytest.approx(float(wanted), abs=2 * allowed, rel=0)
    expect(page.locator("#timing")).to_contain_text("µs a call: median of 9 blocks")
    assert page.inner_text("#target") == "body_mass_g"
    assert seen.errors == []
    assert len(seen.requests) > 10 and all(url.startswith((site.address, "data:")) for url in seen.requests)


def test_one_feature_is_a_line_with_its_point(page, site):
    page.goto(site.page_of("artifacts/reference/line", x=0.5))
    expect(page.locator("#prediction")).to_have_attribute("title", "0.650913537")
    expect(page.get_by_role("img", name="Line of y over x")).to_be_visible()
    before = page.locator("circle").get_attribute("cx")
    page.get_by_role("textbox", name="x", exact=True).fill("-3")
    expect(page.locator("#prediction")).to_have_attribute("title", "-1.78791928")
    assert page.locator("circle").get_attribute("cx") != before


def test_a_folder_is_chosen_and_then_another(page, site):
    page.goto(f"{site.address}deploy/web/")
    expect(page.locator("#status")).to_have_text("No bundle yet.")
    for name, count in (("penguins", 3), ("line", 1)):
        page.set_input_files("#folder", REFERENCE / name)
        expect(page.locator("#status")).to_contain_text(f"{name}: {count} feature")
        assert page.locator("form input").count() == count
        assert proof(page)[0].startswith("✓ Proved: 5 passed")


def test_a_folder_is_dropped(page, site):
    page.goto(f"{site.address}deploy/web/")
    expect(page.locator("#status")).to_have_text("No bundle yet.")
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(REFERENCE / "penguins")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 150, "data": data})
    expect(page.locator("#status")).to_contain_text("penguins: 3 features")
    assert proof(page)[0].startswith("✓ Proved: 5 passed")


def test_everything_is_done_by_keyboard_alone(page, site):
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
    order = []
    for _ in range(20):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        if order[-1].startswith("feature-"):
            page.keyboard.type("7")
        if order[-1] == "folder":
            shown = "getComputedStyle(document.querySelector('label[for=folder]')).outlineStyle"
        else:
            shown = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(shown) == "solid", order[-1]
        if order[-1] == "verify":
            break
    assert order == [
        "folder",
        "penguins",
        "line",
        "engine-onnxruntime",
        *(f"feature-{n}" for n in range(3)),
        "time",
        "verify",
    ]
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_of(7, 7, 7))
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_contain_text("5 passed, 0 failed")
    assert page.evaluate("document.activeElement.id") == "verify"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_horizontal_scroll(browser, site, request, scheme):
    address, bundle = planted(site, request)
    _rename(bundle, ["n" * 900, "<b>bold</b> " * 40, "flipper_length_mm"])
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page = context.new_page()
    backgrounds = set()
    for place in (PENGUINS, address):
        page.goto(site.page_of(place))
        expect(page.locator("#timing")).to_contain_text("µs a call")
        proof(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == {"rgb(244, 246, 249)" if scheme == "light" else "rgb(15, 20, 27)"}
    context.close()


def _rename(bundle: Path, features: list[str], target: str = "body_mass_g") -> None:
    model = onnx.load(bundle / "model.onnx")
    names = {"linreg.features": features, "linreg.target": target, "linreg.units": {target: "<i>g</i>"}}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in names.items()})
    onnx.save(model, bundle / "model.onnx")
    seal(bundle)


def test_names_are_never_markup(page, site, request):
    address, bundle = planted(site, request)
    attack = "<img src=x onerror=alert(1)>"
    _rename(bundle, [attack, "</script><script>alert(2)</script>", "javascript:alert(3)"], target=f"{attack}\u202e")
    seen = watch(page)
    page.goto(site.page_of(address))
    expect(page.get_by_role("textbox", name=attack, exact=True)).to_be_visible()
    assert page.inner_text("#target").startswith(attack)
    assert page.inner_text("#prediction").endswith("<i>g</i>")
    assert page.locator("img, main script, i").count() == 0
    assert seen.errors == []


def test_what_is_no_number_is_said_beside_its_field(page, site):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    field = page.get_by_role("textbox", name="bill_depth_mm", exact=True)
    field.fill("")
    expect(page.locator("#prediction")).to_have_text("–")
    assert field.get_attribute("aria-invalid") == "true"
    expect(page.locator("#feature-1-error")).to_have_text("Type a number, such as 39.1")
    field.fill("18.7")
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    expect(page.locator("#feature-1-error")).to_have_text("")


@pytest.mark.parametrize(
    "address", ["http://localhost:1/penguins", "//localhost:1", "data:,x", "http://[", "file:///", "/%5Clocalhost:1"]
)
def test_a_bundle_on_another_host_is_refused(page, site, address):
    seen = watch(page)
    page.goto(f"{site.address}deploy/web/?bundle={address}")
    expect(page.locator("#status")).to_contain_text("is not on this host")
    assert all(url.startswith((site.address, "data:")) for url in seen.requests)


def test_a_path_of_two_slashes_names_no_host(page, site):
    """The server of the page is asked, and gives what it has."""
    seen = watch(page)
    page.goto(f"{site.address}deploy/web/?bundle=/.//localhost:1/x")
    expect(page.locator("#status")).to_contain_text("model.onnx: the server has no such file in '//localhost:1/x/'")
    assert all(url.startswith((site.address, "data:")) for url in seen.requests)
    assert f"{site.address}/localhost:1/x/model.onnx" in seen.requests


def test_a_redirect_is_not_followed(page, site, request):
    """Python's server sends a folder's name on to the name with a slash; elsewhere it may lead to another host."""
    address, bundle = planted(site, request)
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").mkdir()
    seen = watch(page)
    page.goto(site.page_of(address))
    expect(page.locator("#status")).to_contain_text("model.onnx: cannot be fetched")
    assert not any(url.endswith("model.onnx/") for url in seen.requests)


def test_missing_packages_are_said(page, site):
    page.route("**/ort.wasm.bundle.min.mjs", lambda route: route.abort())
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#status")).to_contain_text("run: npm ci --ignore-scripts in deploy/web")
