"""What the tests of several deployed programs share."""

from pathlib import Path

import pytest

from tests.deploy.bundles import MODULES
from tests.deploy.c_builds import BUILDS, build


@pytest.fixture(scope="session")
def module_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fresh bundles of modules of every type of numbers, each as ONNX and TorchScript."""
    import torch

    from export.formats import Format
    from export.module_file import parse_input
    from export.source import from_module
    from linreg.commands.exporting import ExportOptions, export_source

    folder = tmp_path_factory.mktemp("modules")
    for name, (make, inputs) in MODULES.items():
        torch.manual_seed(len(name))
        source = from_module(make(), [parse_input(text) for text in inputs])
        outcome = export_source(source, folder / name, [Format.ONNX, Format.TORCHSCRIPT], ExportOptions())
        assert not outcome.refused
    return {name: folder / name for name in MODULES}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """deploy/c in every build."""
    return {name: build(name, tmp_path_factory.mktemp("build")) for name in BUILDS}


@pytest.fixture(params=BUILDS)
def program(request: pytest.FixtureRequest, programs: dict[str, Path]) -> Path:
    """One build of deploy/c after another."""
    return programs[request.param]
