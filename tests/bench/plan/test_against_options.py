"""`--against` beside every option that adds a row or a device: each is refused or honoured, and none is dropped."""

import pytest

from bench.benchmark import bench
from bench.plan.planning import plan_request
from bench.plan.request import Request
from bench.plan.variants import AGAINST, FLOOR, Device
from linreg.config import DeviceChoice
from linreg.errors import LinregError
from tests.conftest import TESTS

ROWS = TESTS / "nets.py"
REFUSED = {
    "device-cpu": ({"device": "cpu"}, ["--device", "cpu"]),
    "device-cuda": ({"device": "cuda"}, ["--device", "cuda"]),
    "compile": ({"compile": True}, ["--compile"]),
    "variant": ({"variants": f"{ROWS}:mine"}, ["--variant", f"{ROWS}:mine"]),
    "runtimes": ({"runtimes": TESTS}, ["--runtimes", TESTS]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_python_refuses_it(penguins, name):
    with pytest.raises(LinregError, match="against: times only two artifacts, on the CPU; leave out other rows"):
        bench(penguins, against=penguins / "model.onnx", **REFUSED[name][0])


@pytest.mark.parametrize("name", [*REFUSED, "reference"])
def test_the_command_refuses_it(linreg, bundle, name):
    words = REFUSED[name][1] if name in REFUSED else ["--reference", "this"]
    ended = linreg("bench", "-m", bundle, "--against", bundle / "model.onnx", *words)
    error = " ".join(ended.failure(2).replace("│", " ").split())
    assert words[0] in error
    assert "has no effect: --against times only two artifacts, on the CPU" in error


def test_without_them_two_artifacts_and_the_floor_are_timed_on_the_cpu(penguins):
    plan = plan_request(Request(model=penguins, against=penguins / "model.onnx", device=DeviceChoice.AUTO))
    assert {device: [row.name for row in rows] for device, rows in plan.variants.items()} == {
        Device.CPU: [AGAINST, "this", FLOOR]
    }


def test_another_reference_is_honoured_in_python(penguins):
    quick = {"batches": 1, "processes": 1, "rounds": 10}
    report = bench(penguins, against=penguins / "model.onnx", reference="this", **quick)
    assert report.reference == "this"
    assert [row.name for row in report.comparisons[0].rows] == ["this", "null", AGAINST, FLOOR]
