"""deploy/web in Debian's chromium: it loads, predicts and verifies; hostile bundles fail in one line."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from playwright.sync_api import Page, expect

from tests.deploy.browser import served, started_browser, watch
from tests.deploy.javascript import (
    FEATURES,
    FILE_FAULTS,
    REFERENCE,
    WEB,
    WEIGHT_FAULTS,
    copy_of,
    install,
    mutations,
    node,
    seal,
    verify,
    write_tensor,
)

PENGUINS = "artifacts/reference/penguins"
SHOWN_FAULTS = [
    "swapped features",
    "dropped bias",
    "truncated vector",
    "damaged protobuf",
    "missing output",
    "missing model",
]
"""Those that the page shows in different ways; test_node.py has them all, by the same code."""
PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(WEB)


@pytest.fixture(scope="module")
def browser(_installed):
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with served(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1100, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield page
    context.close()


def planted(site, request, bundle: Path = REFERENCE / "penguins") -> tuple[str, Path]:
    """A copy of a bundle in the served folder: its address there and its path."""
    name = "".join(sign if sign.isalnum() else "-" for sign in request.node.name)
    return f"{name}/bundle", copy_of(bundle, site.folder / name)


def proof(page: Page) -> tuple[str, int]:
    """The verdict, and how many test vectors failed, after a press on Verify."""
    page.click("#verify")
    page.wait_for_selector("#verdict:is(.good, .bad)")
    return page.inner_text("#verdict"), page.locator("td.result.bad").count()


def test_it_predicts_what_python_predicts(page, site):
    seen = watch(page)
    page.goto(site.page_of(PENGUINS))
    for name, value in PENGUIN.items():
        page.get_by_role("spinbutton", name=name, exact=True).fill(str(value))
    expect(page.get_by_role("img", name="Contribution of each feature")).to_have_attribute(
        "aria-label", "Contribution of each feature: bill_length_mm +187.7; bill_depth_mm +349.5; "
        "flipper_length_mm +9170; bias −6501; sum, body_mass_g 3207",
    )  # fmt: skip
    row = np.array([list(PENGUIN.values())], np.float32)
    session = onnxruntime.InferenceSession(REFERENCE / "penguins/model.onnx", providers=["CPUExecutionProvider"])
    ((wanted,),) = session.run(None, {"input": row})[0]
    weight, bias = (
        onnx.numpy_helper.to_array(t) for t in onnx.load(REFERENCE / "penguins/model.onnx").graph.initializer
    )
    allowed = (3 + 4) * 2.0**-24 * float(np.abs(weight.astype(float) * row).sum() + abs(float(bias[0])))
    assert float(page.inner_text("#prediction")) == pytest.approx(float(wanted), abs=2 * allowed, rel=0)
    expect(page.locator("#timing")).to_contain_text("µs a call: median of 9 blocks")
    assert page.inner_text("#target") == "body_mass_g"
    assert seen.errors == []
    assert len(seen.requests) > 10 and all(url.startswith((site.address, "data:")) for url in seen.requests)


def test_one_feature_is_a_line_with_its_point(page, site):
    page.goto(site.page_of("artifacts/reference/line", x=0.5))
    expect(page.locator("#prediction")).to_have_text("0.650913537")
    expect(page.get_by_role("img", name="Line of y over x")).to_be_visible()
    before = page.locator("circle").get_attribute("cx")
    page.get_by_role("spinbutton", name="x", exact=True).fill("-3")
    expect(page.locator("#prediction")).to_have_text("−1.78791928")
    assert page.locator("circle").get_attribute("cx") != before


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_the_committed_bundles_are_proved(page, site, name):
    seen = watch(page)
    page.goto(site.page_of(f"artifacts/reference/{name}"))
    verdict, failed = proof(page)
    listed = len((REFERENCE / name / "SHA256SUMS").read_text().splitlines())
    assert verdict.startswith("✓ Proved: 5 passed, 0 failed; ")
    assert f"{listed} files have the listed sha256" in verdict
    assert failed == 0 and page.locator("td.result.good").count() == 5
    assert page.inner_text("tbody tr:nth-child(3)").split()[:2] == ["test_data_set_2", "4096"]
    assert seen.errors == [] and all(url.startswith((site.address, "data:")) for url in seen.requests)


@pytest.mark.parametrize("fault", [*WEIGHT_FAULTS, "truncated vector", "missing input"])
def test_changed_files_are_found_by_their_sha256(page, site, request, fault):
    address, bundle = planted(site, request)
    {**WEIGHT_FAULTS, **FILE_FAULTS}[fault](bundle)
    page.goto(site.page_of(address))
    verdict, _ = proof(page)
    assert verdict == "✗ Not proved: 0 passed, 1 failed. No test vector was run."
    assert ("the server has no such file" if "missing" in fault else "has sha256") in page.inner_text("#problems")


@pytest.mark.parametrize("fault", SHOWN_FAULTS)
def test_faults_under_a_right_sha256_are_found_by_the_vectors(page, site, request, fault):
    address, bundle = planted(site, request)
    {**WEIGHT_FAULTS, **FILE_FAULTS}[fault](bundle)
    seal(bundle)
    page.goto(site.page_of(address))
    if fault == "missing model":
        expect(page.locator("#status")).to_contain_text("model.onnx: the server has no such file")
        expect(page.locator("#verify")).to_be_hidden()
        return
    verdict, failed = proof(page)
    assert verdict.startswith("✗ Not proved: ") and "0 failed" not in verdict
    assert failed or page.locator("#problems li").count()


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
    expect(page.locator("#prediction")).to_have_text("−6500.521")
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
    assert order == ["folder", "penguins", "line", "feature-0", "feature-1", "feature-2", "time", "verify"]
    expect(page.locator("#prediction")).to_have_text("−5981.44873")
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
    expect(page.get_by_role("spinbutton", name=attack, exact=True)).to_be_visible()
    assert page.inner_text("#target").startswith(attack)
    assert page.inner_text("#prediction").endswith("<i>g</i>")
    assert page.locator("img, main script, i").count() == 0
    assert seen.errors == []


def test_damaged_models_are_told_in_one_line_and_the_page_goes_on(page, site, tmp_path):
    seen = watch(page)
    page.goto(f"{site.address}deploy/web/")
    shown = []
    for place, content in enumerate(mutations((REFERENCE / "penguins/model.onnx").read_bytes(), 24, seed=8)):
        bundle = copy_of(REFERENCE / "penguins", tmp_path / str(place))
        (bundle / "model.onnx").write_bytes(content)
        page.set_input_files("#folder", bundle)
        expect(page.locator("#status")).not_to_have_text("Loading…")
        shown.append(page.inner_text("#status"))
        assert "\n" not in shown[-1] and "TypeError" not in shown[-1] and "RangeError" not in shown[-1]
        assert proof(page)[0].startswith("✗ Not proved: 0 passed, 1 failed")
    assert sum("export again" in text for text in shown) > 8, shown
    page.set_input_files("#folder", REFERENCE / "penguins")
    expect(page.locator("#status")).to_contain_text("penguins: 3 features")
    assert proof(page)[0].startswith("✓ Proved")
    assert seen.errors == []


def test_what_is_no_number_is_said_beside_its_field(page, site):
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_text("3206.93018")
    field = page.get_by_role("spinbutton", name="bill_depth_mm", exact=True)
    field.fill("")
    expect(page.locator("#prediction")).to_have_text("–")
    assert field.get_attribute("aria-invalid") == "true"
    expect(page.locator("#feature-1-error")).to_have_text("Type a number, such as 39.1")
    field.fill("18.7")
    expect(page.locator("#prediction")).to_have_text("3206.93018")
    expect(page.locator("#feature-1-error")).to_have_text("")


@pytest.mark.parametrize("address", ["http://localhost:1/penguins", "//localhost:1", "data:,x", "http://[", "file:///"])
def test_a_bundle_on_another_host_is_refused(page, site, address):
    seen = watch(page)
    page.goto(f"{site.address}deploy/web/?bundle={address}")
    expect(page.locator("#status")).to_contain_text("is not on this host")
    assert all(url.startswith((site.address, "data:")) for url in seen.requests)


def test_missing_packages_are_said(page, site):
    page.route("**/ort.wasm.min.mjs", lambda route: route.abort())
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#status")).to_contain_text("run: npm ci --ignore-scripts in deploy/web")


def test_a_model_of_two_inputs_can_only_be_verified(page, site, request):
    address, bundle = planted(site, request)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "abc"]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["c"])], "sum", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, bundle / "model.onnx")
    for place in range(5):
        folder, values = bundle / f"test_data_set_{place}", np.arange(6, dtype=np.float32).reshape(3, 2)
        write_tensor(folder / "input_0.pb", values)
        write_tensor(folder / "input_1.pb", values)
        write_tensor(folder / "output_0.pb", 2 * values)
        write_tensor(folder / "allowed_0.pb", np.zeros((3, 2)))
    sums = bundle / "SHA256SUMS"
    sums.write_text(sums.read_text() + "".join(f"{'0' * 64}  test_data_set_{n}/input_1.pb\n" for n in range(5)))
    seal(bundle)
    page.goto(site.page_of(address))
    expect(page.locator("#status")).to_contain_text("it can only be verified")
    expect(page.locator("#model")).to_be_hidden()
    assert proof(page)[0].startswith("✓ Proved: 5 passed, 0 failed; bit-equal")


def test_wasm_answers_in_node_as_well(tmp_path):
    for name in ("line", "penguins"):
        code, lines, errors = verify(REFERENCE / name, WEB)
        assert (code, lines[1], errors) == (0, "5 passed, 0 failed", "")
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    WEIGHT_FAULTS["dropped bias"](bundle)
    assert verify(seal(bundle), WEB)[0] == 1


def test_bench_prints_one_line_of_json():
    ended = node("bench.mjs", REFERENCE / "penguins", 4096, 3, folder=WEB)
    assert (ended.returncode, ended.stderr, ended.stdout.count(b"\n")) == (0, b"", 1)
    result = json.loads(ended.stdout)
    assert (result["runtime"], result["version"], result["batch"]) == ("wasm", "1.30.0", 4096)
    assert result["calls"] > 0 and len(result["block_s"]) == 3
