"""What the tests on foreign processors share."""

import shutil
from pathlib import Path

import pytest

from export.bundle.export import export
from tests.deploy.processors import REFERENCE, module
from tests.feed_forward_networks import NETWORKS, network

targets = module("targets")
module("call_trace")
sources = module("bundles").c_sources
check = module("check")


def answers(target, bundle: Path) -> tuple[str, str]:
    """How many vectors of the only C source of a bundle passed, and how near they were."""
    (source,) = sources(bundle)
    result: tuple[str, str] = check.answers(target, source)
    return result


@pytest.fixture(params=targets.TARGETS, ids=lambda target: target.name)
def target(request: pytest.FixtureRequest):
    """One processor after another; none may be missing."""
    assert request.param.missing == (), f"install: apt-get install --no-install-recommends {request.param.missing}"
    return request.param


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the penguins' bundle, to be changed."""
    return Path(shutil.copytree(REFERENCE / "penguins", tmp_path / "penguins"))


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """A bundle of each network."""
    folder = tmp_path_factory.mktemp("networks")
    for name, (_, described) in NETWORKS.items():
        export(network(name), folder / name, inputs=[described], formats=["onnx", "c"], budget="1s")
    return folder
