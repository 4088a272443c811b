"""What the tests of several deployed programs share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deploy.bundles import MODULES, REFERENCE
from tests.deploy.c_builds import BUILDS, build, build_libtorch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.deploy.browser import Site


@pytest.fixture(scope="session")
def module_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fresh bundles of modules of every type of numbers, each as ONNX and TorchScript."""
    import torch

    from export.bundle.export import export

    folder = tmp_path_factory.mktemp("modules")
    for name, (make, inputs) in MODULES.items():
        torch.manual_seed(len(name))
        export(make(), folder / name, inputs=inputs, formats=["onnx", "torchscript"])
    return {name: folder / name for name in MODULES}


@pytest.fixture(scope="session")
def javascript_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The penguins as ONNX and JavaScript."""
    from export.bundle.export import export

    folder = tmp_path_factory.mktemp("bundle") / "javascript"
    export(REFERENCE / "penguins", folder, formats=["onnx", "js"])
    return folder


@pytest.fixture(scope="session")
def javascript_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as ONNX and JavaScript."""
    from export.bundle.export import export
    from tests.feed_forward_networks import NETWORKS, network

    folder = tmp_path_factory.mktemp("network") / "mlp"
    export(network("mlp"), folder, inputs=[NETWORKS["mlp"][1]], formats=["onnx", "js"])
    return folder


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """deploy/c in every build."""
    return {name: build(name, tmp_path_factory.mktemp("build")) for name in BUILDS}


@pytest.fixture(scope="session")
def libtorch_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deploy/libtorch."""
    return build_libtorch(tmp_path_factory.mktemp("libtorch"))


@pytest.fixture(params=BUILDS)
def program(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Path:
    """One build of deploy/c after another."""
    return programs[request.param]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium for deploy/web, whose packages are there. A module's own: playwright runs once at a time."""
    from tests.deploy.browser import started_browser
    from tests.deploy.javascript import WEB, install

    install(WEB)
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Site]":
    """The repository's `deploy` and `artifacts`, served."""
    from tests.deploy.browser import served

    with served(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """An empty page of a desktop."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1100, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield page
    context.close()
