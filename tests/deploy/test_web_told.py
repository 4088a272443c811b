"""deploy/web says in a sentence what is wrong: no WebAssembly, unknown parameters; and lists several outputs."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from playwright.sync_api import expect

from tests.deploy.browser import planted, watch
from tests.deploy.bundles import FEATURES
from tests.deploy.javascript import seal
from tests.deploy.penguin_predictions import first_prediction

PENGUINS = "artifacts/reference/penguins"
PENGUIN = dict(zip(FEATURES, (39.1, 18.7, 181), strict=True))
WASM = "**/ort-wasm-simd-threaded.wasm"


@pytest.mark.parametrize("reason", ["internetdisconnected", "blockedbyclient", "failed"])
def test_wasm_that_cannot_be_fetched_is_said_with_what_to_do(page, site, reason):
    page.route(WASM, lambda route: route.abort(reason))
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#status")).to_contain_text("ONNX Runtime’s WebAssembly cannot be fetched")
    expect(page.locator("#status")).to_contain_text("reconnect or unblock them, then reload this page")
    expect(page.locator("#model")).to_be_hidden()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 404}, "does not give ONNX Runtime’s WebAssembly (status 404); run: npm ci"),
        (
            {"status": 200, "body": "<html>sign in</html>"},
            "perhaps a sign-in page of the network; sign in, then reload",
        ),
    ],
)
def test_a_server_that_gives_something_else_is_told(page, site, answer, said):
    page.route(WASM, lambda route: route.fulfill(**answer))
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#status")).to_contain_text(said)


def test_webassembly_that_is_forbidden_is_said(page, site):
    """As by a stricter Content-Security-Policy of a server."""

    def stricter(route):
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": "script-src 'self'"})

    page.route(lambda url: "/web/?bundle=" in url, stricter)
    page.goto(site.page_of(PENGUINS))
    expect(page.locator("#status")).to_contain_text("WebAssembly is blocked here")
    expect(page.locator("#status")).to_contain_text("'wasm-unsafe-eval' in script-src")


def test_the_bundle_is_loaded_once_the_connection_is_back(page, site):
    page.route(WASM, lambda route: route.abort("internetdisconnected"))
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#status")).to_contain_text("cannot be fetched")
    page.unroute(WASM)
    page.reload()
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())


def test_unknown_parameters_of_the_address_are_named(page, site):
    seen = watch(page)
    page.goto(site.page_of(PENGUINS, **PENGUIN) + "&bill_lenght_mm=3&<b>x</b>=1&flipper_length_mm=181")
    expect(page.locator("#notes")).to_have_text(
        "The address holds 'bill_lenght_mm', '<b>x</b>', which is not known here; expected bundle, engine, "
        "bill_length_mm, bill_depth_mm, flipper_length_mm. The address holds 'flipper_length_mm' more than "
        "once; the last one counts."
    )
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert seen.errors == []
    page.goto(site.page_of(PENGUINS, **PENGUIN))
    expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
    assert page.inner_text("#notes") == ""


def test_a_misspelt_bundle_is_named(page, site):
    page.goto(f"{site.address}deploy/web/?bundel={PENGUINS}")
    expect(page.locator("#status")).to_have_text("No bundle yet.")
    expect(page.locator("#notes")).to_have_text(
        "The address holds 'bundel', which is not known here; expected bundle, engine."
    )


def several_outputs() -> onnx.ModelProto:
    """Four answers of one row: two floats, a whole number and a truth."""
    weight = np.array([[1, 0, 2], [0, -1, 0.5]], np.float32)
    nodes = [
        helper.make_node("Gemm", ["input", "weight"], ["scores"], transB=1),
        helper.make_node("ArgMax", ["scores"], ["class"], axis=1, keepdims=0),
        helper.make_node("Greater", ["input", "zero"], ["positive"]),
    ]
    ports = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2]),
        helper.make_tensor_value_info("class", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("positive", TensorProto.BOOL, ["batch", 3]),
    ]
    row = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3])
    tensors = [onnx.numpy_helper.from_array(weight, "weight"), onnx.numpy_helper.from_array(np.float32(0), "zero")]
    graph = helper.make_graph(nodes, "several", [row], ports, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_several_outputs_are_listed(page, site, request):
    address, bundle = planted(site, request)
    model = several_outputs()
    onnx.save(model, bundle / "model.onnx")
    seal(bundle)
    seen = watch(page)
    page.goto(site.page_of(address))
    expect(page.locator("#prediction")).to_have_text("6 outputs")
    for place, value in enumerate((1.25, -3, 0.1)):
        page.get_by_role("textbox", name=f"column {place + 1}", exact=True).fill(str(value))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ((scores,), (best,), (positive,)) = session.run(None, {"input": np.array([[1.25, -3, 0.1]], np.float32)})
    wanted = [f"scores[{place}]\t{value:.9g}" for place, value in enumerate(scores)]
    wanted += [f"class\t{best}"] + [f"positive[{place}]\t{str(value).lower()}" for place, value in enumerate(positive)]
    expect(page.locator("#outputs tbody tr").nth(0)).to_have_text(wanted[0].replace("\t", ""))
    assert page.locator("#outputs tbody").inner_text().splitlines() == wanted
    assert page.locator("#chart *").count() == 0 and page.inner_text("#target") == "scores, class, positive"
    page.get_by_role("textbox", name="column 1", exact=True).fill("1,5")
    expect(page.locator("#outputs")).to_be_hidden()
    assert seen.errors == []
