"""deploy/web in Debian's chromium proves a bundle by its vectors; damaged and hostile ones fail in one line."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from playwright.sync_api import expect

from tests.deploy.browser import planted, proof, watch
from tests.deploy.bundles import REFERENCE, copy_of, write_tensor
from tests.deploy.javascript import FILE_FAULTS, WEIGHT_FAULTS, mutations, seal

SHOWN_FAULTS = [
    "swapped features",
    "dropped bias",
    "truncated vector",
    "damaged protobuf",
    "missing output",
    "missing model",
]
"""Those that the page shows in different ways; test_node.py has them all, by the same code."""


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
        expect(page.locator("#engine-js")).to_be_enabled()
    verdict, failed = proof(page)
    assert verdict.startswith("✗ Not proved: ") and "0 failed" not in verdict
    assert failed or page.locator("#problems li").count()


def test_a_bundle_without_any_model_has_nothing_to_verify(page, site, request):
    address, bundle = planted(site, request)
    for name in ("model.onnx", "model.mjs"):
        (bundle / name).unlink()
    seal(bundle)
    page.goto(site.page_of(address))
    expect(page.locator("#status")).to_contain_text("model.onnx: the server has no such file")
    expect(page.locator("#verify")).to_be_hidden()


def test_damaged_models_are_told_in_one_line_and_the_page_goes_on(page, site, tmp_path):
    seen = watch(page)
    page.goto(f"{site.address}deploy/web/?engine=onnxruntime")
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
