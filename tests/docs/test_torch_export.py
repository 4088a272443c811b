"""What the README's table says about torch.onnx.export is so with the torch that is installed."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json
from pathlib import Path

import onnx
import torch


class Noise(torch.nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class FixedBatch(torch.nn.Module):
    def forward(self, x):
        return x.reshape(4, 6) * 2


def exported(module, name, **options):
    program = torch.onnx.export(module.eval(), (torch.ones(4, 6),), name, **options)
    return program, onnx.load(name, load_external_data=False)


batch = ({0: torch.export.Dim("batch")},)
_, linear = exported(torch.nn.Linear(6, 1), "linear.onnx", dynamic_shapes=batch)
program, _ = exported(torch.nn.Sequential(torch.nn.Linear(6, 6), Noise()), "noise.onnx", verify=True)
_, fixed = exported(FixedBatch(), "fixed.onnx", dynamic_shapes=batch)
text = " ".join(entry.value for node in fixed.graph.node for entry in node.metadata_props)
print(json.dumps({
    "ir_version": linear.ir_version,
    "batch": linear.graph.input[0].type.tensor_type.shape.dim[0].dim_param,
    "names_the_source": str(Path(__file__).resolve()) in text,
    "files": sorted(path.name for path in Path.cwd().glob("linear*")),
    "wrong_outputs_return_a_program": program is not None,
    "fixed_batch": fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value,
}))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch-export")
    (folder / "plain.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "plain.py"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"said": done.stdout + done.stderr}


def test_wrong_outputs_are_only_a_warning(facts):
    assert facts["wrong_outputs_return_a_program"]
    assert "has a large absolute difference" in facts["said"]


def test_a_dynamic_batch_becomes_static_without_a_word(facts):
    assert facts["batch"] == "batch"
    assert facts["fixed_batch"] == 4
    assert "static" not in facts["said"]


def test_the_ir_version_is_too_new_for_old_runtimes(facts):
    assert facts["ir_version"] == 10


def test_nodes_carry_the_path_of_the_source(facts):
    assert facts["names_the_source"]


def test_weights_go_to_a_second_file(facts):
    assert facts["files"] == ["linear.onnx", "linear.onnx.data"]
