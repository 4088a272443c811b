"""deploy/web answers with model.mjs where a bundle has one, proves it first, and lets its user choose ONNX Runtime."""

import re
import socket
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from playwright.sync_api import Page, expect

from export.formats.js_text import FIRST_LINE, FIRST_LINE_OF_NETWORK
from tests.deploy.browser import Seen, planted, proof, watch
from tests.deploy.bundles import FEATURES, copy_of, write_tensor
from tests.deploy.javascript import MODULE_FAULTS, answer_here, change_module, first_weight, seal
from tests.deploy.penguin_predictions import first_prediction, prediction_at_first, prediction_of
from tests.deploy.test_web_served import serving

PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))
BY_JAVASCRIPT = "Answered by model.mjs in JavaScript: all 5 test vectors passed here."
BY_ONNX_RUNTIME = "Answered by model.onnx in ONNX Runtime (WebAssembly)."


def runtime_requests(seen: Seen) -> list[str]:
    return [url for url in seen.requests if "/onnxruntime-web/" in url or ".wasm" in url]


def runs_code(seen: Seen) -> bool:
    """Whether anything was loaded from a blob:, as model.mjs is."""
    return any(url.startswith("blob:") for url in seen.requests)


def dropped(page: Page, *paths: Path) -> None:
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 150, "data": data})


@pytest.mark.parametrize("source", ["address", "folder", "drop", "files", "served"])
def test_javascript_answers_without_any_file_of_onnx_runtime(page, site, request, javascript_bundle, source):
    seen = watch(page)
    if source == "served":
        with serving(javascript_bundle, "--no-open") as (_, address):
            page.goto(address)
            check_javascript_answers(page, seen)
        return
    if source == "address":
        address, _ = planted(site, request, javascript_bundle)
        page.goto(site.page_of(address, engine=""))
    else:
        page.goto(f"{site.address}deploy/web/")
        if source == "folder":
            page.set_input_files("#folder", javascript_bundle)
        else:
            dropped(page, *(sorted(javascript_bundle.iterdir()) if source == "files" else [javascript_bundle]))
    check_javascript_answers(page, seen)


def check_javascript_answers(page: Page, seen: Seen) -> None:
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    expect(page.locator("#timing")).to_contain_text("µs a call: median of 9 blocks")
    assert page.is_checked("#engine-js")
    assert page.inner_text("#trust").startswith("model.mjs is a program. Its sha256 in manifest.json shows that it is")
    verdict, failed = proof(page)
    assert verdict.startswith("✓ Proved: 5 passed, 0 failed; bit-equal; ") and failed == 0
    assert verdict.endswith("answered by JavaScript.")
    assert runtime_requests(seen) == [] and runs_code(seen) and seen.errors == []


def test_the_user_chooses_onnx_runtime_and_keeps_what_was_typed(page, site, request, javascript_bundle):
    address, _ = planted(site, request, javascript_bundle)
    seen = watch(page)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    for name, value in PENGUIN.items():
        page.get_by_role("textbox", name=name, exact=True).fill(str(value))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert runtime_requests(seen) == []
    page.get_by_role("radio", name="ONNX Runtime").check()
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert len(runtime_requests(seen)) == 2 and page.locator("#trust").is_hidden()
    assert proof(page)[0].endswith("answered by ONNX Runtime (WebAssembly).")
    page.get_by_role("radio", name="JavaScript").check()
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert page.inner_text("#verdict") == "" and seen.errors == []


def test_the_address_names_the_engine(page, site, request, javascript_bundle):
    address, _ = planted(site, request, javascript_bundle)
    seen = watch(page)
    page.goto(site.page_of(address, engine="onnxruntime"))
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    page.set_input_files("#folder", javascript_bundle)
    expect(page.locator("#status")).to_contain_text("javascript: 3 features")
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    assert not runs_code(seen) and page.inner_text("#notes") == ""
    page.goto(site.page_of(address, engine="wasm"))
    expect(page.locator("#notes")).to_have_text("The engine in the address is 'wasm', expected js or onnxruntime.")
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    page.goto(site.page_of(address, engine="js"))
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    assert page.inner_text("#notes") == ""


def test_without_javascript_it_is_refused_by_name(page, site, request, javascript_bundle):
    """An address asks for it; the bundle has none, or has one that no manifest lists."""
    address, bundle = planted(site, request, javascript_bundle)
    (bundle / "model.mjs").rename(bundle / "kept.mjs")
    seal(bundle)
    (bundle / "kept.mjs").rename(bundle / "model.mjs")
    seen = watch(page)
    page.goto(site.page_of(address, engine="js"))
    expect(page.locator("#status")).to_have_text(
        "JavaScript is refused: SHA256SUMS: does not list model.mjs; export with --format js. It gives no prediction; "
        "choose ONNX Runtime, which runs model.onnx."
    )
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    assert page.is_disabled("#engine-js") and not runs_code(seen)
    assert not any(url.endswith("bundle/model.mjs") for url in seen.requests)


@pytest.mark.parametrize("fault", MODULE_FAULTS)
def test_javascript_that_fails_is_refused_and_onnx_runtime_is_offered(page, site, request, javascript_bundle, fault):
    address, bundle = planted(site, request, javascript_bundle)
    plant, said = MODULE_FAULTS[fault]
    change_module(bundle, plant)
    seal(bundle)
    seen = watch(page)
    page.goto(site.page_of(address, engine=""))
    check_refused(page, seen, said)


def test_javascript_of_another_hash_is_not_run(page, site, request, javascript_bundle):
    address, bundle = planted(site, request, javascript_bundle)
    change_module(bundle, first_weight)
    seen = watch(page)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#status")).to_contain_text("JavaScript is refused")
    assert not runs_code(seen)
    check_refused(page, seen, "model.mjs: has sha256")


def check_refused(page: Page, seen: Seen, said: str) -> None:
    """Nothing is predicted until the user chooses ONNX Runtime, which then answers alone."""
    expect(page.locator("#status")).to_contain_text("JavaScript is refused: ")
    status = page.inner_text("#status")
    assert said in status and status.endswith("It gives no prediction; choose ONNX Runtime, which runs model.onnx.")
    assert page.locator("#model").is_hidden() and page.inner_text("#prediction") in ("", "–")
    assert runtime_requests(seen) == []
    assert proof(page)[0].startswith("✗ Not proved: ")
    page.get_by_role("radio", name="ONNX Runtime").check()
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
    assert len(runtime_requests(seen)) == 2


def test_javascript_that_does_not_end_is_stopped(page, site, request, javascript_bundle):
    address, bundle = planted(site, request, javascript_bundle)
    change_module(bundle, lambda text: text.replace("  return output;", "  for (;;);"))
    seal(bundle)

    def hurried(route):
        response = route.fetch()
        text = response.text()
        assert "PATIENCE_MS = 30_000" in text
        route.fulfill(response=response, body=text.replace("PATIENCE_MS = 30_000", "PATIENCE_MS = 300"))

    page.route("**/module_session.mjs", hurried)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#status")).to_contain_text("model.mjs: has not answered for 0.3 seconds")
    assert page.locator("iframe").count() == 0
    page.get_by_role("radio", name="ONNX Runtime").check()
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())


REACH = """
const reached = [];
const blocked = new Set();
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
  blocked.add(`${effectiveDirective} ${blockedURI.split(':')[0]}`);
});
for (const address of ['%s', '%s']) {
  await fetch(address).then(() => reached.push('fetch'), () => {});
  await import(address + 'deploy/js/errors.mjs').then(() => reached.push('import'), () => {});
  try { importScripts(address); reached.push('importScripts'); } catch {}
  try { new WebSocket(address.replace('http', 'ws')).onopen = () => reached.push('socket'); } catch {}
  try {
    new Worker(address + 'deploy/js/errors.mjs', { type: 'module' }).onerror = (event) => event.preventDefault();
  } catch {}
}
await new Promise((resolve) => setTimeout(resolve, 300));
try { eval('1'); reached.push('eval'); } catch {}
if (typeof document !== 'undefined' || typeof localStorage !== 'undefined') reached.push('page');
throw new Error(`reached [${reached}], blocked [${[...blocked].sort()}]`);
"""


@pytest.mark.parametrize("server", ["any", "linreg serve"])
def test_the_code_of_a_stranger_reaches_neither_page_nor_network(page, site, request, javascript_bundle, server):
    address, bundle = planted(site, request, javascript_bundle)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        host = f"http://127.0.0.1:{other.getsockname()[1]}/"
        if server == "any":
            change_module(bundle, lambda text: text + REACH % (site.address, host))
            seal(bundle)
            page.goto(site.page_of(address, engine=""))
            expect(page.locator("#status")).to_contain_text("reached [")
        else:
            with serving(bundle) as (_, served):
                change_module(bundle, lambda text: text + REACH % (served.partition("web/")[0], host))
                seal(bundle)
                page.goto(served)
                expect(page.locator("#status")).to_contain_text("reached [")
        with pytest.raises(BlockingIOError):
            other.accept()
    _, reached, blocked = page.inner_text("#status").split("[")
    assert reached.startswith("]")
    assert blocked.partition("]")[0] == "connect-src http,connect-src ws,script-src-elem http,worker-src http"


def test_a_bundle_of_javascript_alone_is_served(page, tmp_path, javascript_bundle):
    bundle = copy_of(javascript_bundle, tmp_path)
    (bundle / "model.onnx").unlink()
    seal(bundle)
    seen = watch(page)
    with serving(bundle) as (_, address):
        page.goto(address)
        expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
        assert page.is_disabled("#engine-onnxruntime")
        assert proof(page)[0].startswith("✓ Proved: 5 passed")
        page.goto(f"{address}&engine=onnxruntime")
        expect(page.locator("#status")).to_contain_text("model.onnx: the server has no such file")
        page.get_by_role("radio", name="JavaScript").check()
        expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
        change_module(bundle, first_weight)
        seal(bundle)
        page.goto(address)
        expect(page.locator("#status")).to_contain_text("the bundle has no model.onnx to use instead.")
    assert runtime_requests(seen) == []


@pytest.mark.slow  # it exports a network
def test_the_javascript_of_a_network_answers(page, site, request, javascript_network):
    address, bundle = planted(site, request, javascript_network)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#engine")).to_contain_text("Answered by model.mjs in JavaScript")
    row = np.linspace(-2, 2, 16).astype(np.float32)
    for place, value in enumerate(row):
        page.get_by_role("textbox", name=f"column {place + 1}", exact=True).fill(str(value))
    session = onnxruntime.InferenceSession(bundle / "model.onnx", providers=["CPUExecutionProvider"])
    wanted = float(session.run(None, {"x": row[np.newaxis]})[0].item())
    expect(page.locator("#prediction")).to_have_attribute("title", re.compile(re.escape(f"{wanted:.4f}"[:-1])))
    expect(page.locator("#chart")).to_contain_text(
        "No chart: this model is not one weight for each feature and a bias."
    )


def test_a_network_has_no_chart(page, site, request, javascript_bundle):
    address, bundle = planted(site, request, javascript_bundle)
    change_module(bundle, lambda text: text.replace(FIRST_LINE, FIRST_LINE_OF_NETWORK))
    seal(bundle)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_at_first())
    expect(page.locator("#chart")).to_contain_text(
        "No chart: this model is not one weight for each feature and a bias."
    )


def test_the_javascript_of_a_network_of_windows_can_only_be_verified(page, site, request, javascript_bundle):
    address, bundle = planted(site, request, javascript_bundle)
    change_module(bundle, lambda text: text.replace('"shape": ["batch", 3]', '"shape": ["batch", 1, 3]'))
    for path in bundle.glob("*/input_0.pb"):
        rows = numpy_helper.to_array(onnx.load_tensor(path))
        write_tensor(path, rows[:, np.newaxis])
    seal(bundle)
    seen = watch(page)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#status")).to_have_text(
        "model.mjs: takes float32[batch,1,3], expected float32 or float64 [batch,features]; it can only be verified"
    )
    verdict, failed = proof(page)
    assert verdict.startswith("✓ Proved: ") and verdict.endswith("answered by JavaScript.") and failed == 0
    assert runtime_requests(seen) == []


def test_a_change_of_engine_during_the_load_shows_the_last_choice(page, site, request, javascript_bundle):
    address, bundle = planted(site, request, javascript_bundle)
    answer_here(bundle)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#engines")).to_be_visible()
    for name in ("onnxruntime", "js", "onnxruntime"):
        page.check(f"#engine-{name}")
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    page.get_by_role("textbox", name=FEATURES[0], exact=True).fill("7")
    expect(page.locator("#prediction")).to_have_attribute("title", prediction_of(7, 17.3, 202))
    assert page.locator("iframe").count() == 0


def test_the_engines_are_chosen_by_the_arrows_of_the_keyboard(page, site, request, javascript_bundle):
    address, _ = planted(site, request, javascript_bundle)
    page.goto(site.page_of(address, engine=""))
    expect(page.locator("#engine")).to_have_text(BY_JAVASCRIPT)
    page.focus("#engine-js")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#engine")).to_have_text(BY_ONNX_RUNTIME)
    assert page.evaluate("document.activeElement.id") == "engine-onnxruntime"
