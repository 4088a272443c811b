"""The affine way needs no torch: it stays out of these commands, and they work where it cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from linreg.checkpoint import load
from tests.conftest import PENGUINS

REFERENCE = Path(__file__).resolve().parents[2] / "artifacts" / "reference" / "penguins"
FEATURES = "bill_length_mm,bill_depth_mm,flipper_length_mm"
TRAIN = ["train", PENGUINS, "--target", "body_mass_g", "--features", FEATURES, "-o", "penguins"]
COMMANDS = [
    TRAIN,
    ["evaluate", PENGUINS, "-m", "penguins"],
    ["predict", PENGUINS, "-m", "penguins", "-o", "predicted.csv"],
    ["export", "-m", "penguins", "--format", "onnx"],
    ["export", "-m", "penguins", "--format", "onnx", "--dtype", "float64", "--data", PENGUINS],
    ["export", "-m", "penguins/model.pth", "-f", "onnx", "-o", "other", "--static", "--unit", "body_mass_g=g"],
    ["verify", "penguins"],
    ["verify", "penguins/model.onnx"],
    ["verify", "penguins", "--data", PENGUINS],
    ["predict", PENGUINS, "-m", "penguins/model.onnx", "-o", "from-onnx.csv"],
    ["inspect", "penguins/model.pth"],
]
RUN = """
import sys
from linreg.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {"torch", "matplotlib", "onnxscript"}
heavy |= {"pandas"} if sys.argv[1] in ("train", "evaluate", "predict") else set()
kept_out = heavy & sys.modules.keys()
assert not kept_out, kept_out
"""


def run(folder: Path, *words: object, code: str | None = None, path: Path | None = None):
    """Run the command line in a fresh Python, with `path` before the installed packages."""
    start = ["-m", "linreg"] if code is None else ["-c", code]
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)})
    command = [sys.executable, "-W", "error", *start, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def blocked(folder: Path, *names: str) -> Path:
    """A folder of packages that cannot be imported."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise ImportError('{name} is broken')\n")
    return folder


def test_nothing_of_torch_is_loaded(tmp_path):
    for words in COMMANDS:
        ended = run(tmp_path, *words, code=RUN)
        assert ended.returncode == 0, (words, ended.stderr)


def test_every_command_works_where_torch_cannot_be_imported(tmp_path):
    stub = blocked(tmp_path / "stub", "torch", "matplotlib", "onnxscript")
    for words in COMMANDS:
        ended = run(tmp_path, *words, path=stub)
        assert ended.returncode == 0, (words, ended.stderr)
    assert run(tmp_path, "train", "-o", "line", path=stub).returncode == 1
    # The same files as with torch.
    assert (tmp_path / "penguins" / "model.onnx").read_bytes() == (REFERENCE / "model.onnx").read_bytes()
    state = torch.load(tmp_path / "penguins" / "model.pth", weights_only=True)
    wanted = torch.load(REFERENCE / "model.pth", weights_only=True)
    assert list(state) == list(wanted)
    assert all(torch.equal(state[key], wanted[key]) for key in wanted)
    assert (tmp_path / "predicted.csv").read_text().count("\n") == (tmp_path / "from-onnx.csv").read_text().count("\n")


def test_a_missing_torch_is_named_in_one_line(tmp_path):
    code = "import sys; sys.modules['torch'] = None; from _linreg import main; main()"
    assert run(tmp_path, *TRAIN, code=code).returncode == 0
    for words in (
        ["train", "-o", "line"],
        ["train", PENGUINS, "--target", "year", "--method", "adam", "-o", "other"],
        ["export", "-m", "penguins", "-f", "pt2"],
        ["export", "-m", "penguins", "-f", "onnx", "-f", "torchscript"],
    ):
        ended = run(tmp_path, *words, code=code)
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1] == (
            f"error: linreg {words[0]} needs torch, which is not installed; install it with: pip install torch "
            "(linreg doctor lists all that is missing)"
        )


def proof_of(folder: Path, name: str) -> dict:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    return next(entry["proof"] for entry in files if entry["name"] == name)


def test_bytes_are_compared_with_eager_only_where_torch_is_loaded(tmp_path):
    assert run(tmp_path, *TRAIN).returncode == 0
    alone = run(tmp_path, "export", "-m", "penguins", "-f", "onnx", "--json")
    (artifact,) = json.loads(alone.stdout)["artifacts"]
    assert artifact["bytes_equal"] is None
    assert artifact["cases"] == 24
    assert proof_of(tmp_path / "penguins", "model.onnx")["bytes_equal"] is None
    without = artifact["worst_error"]
    assert "not compared" in run(tmp_path, "export", "-m", "penguins", "-f", "onnx").stdout
    checked = json.loads(run(tmp_path, "verify", "penguins", "--json").stdout)["checked"]
    assert [(row["against"], row["bytes_equal"]) for row in checked] == [
        ("test vectors", True),
        ("float64 oracle", None),
    ]
    both = run(tmp_path, "export", "-m", "penguins", "-f", "onnx", "-f", "torchscript", "--json")
    first, second = json.loads(both.stdout)["artifacts"]
    assert type(first["bytes_equal"]) is bool
    assert second["bytes_equal"] is True
    assert (first["cases"], first["worst_error"]) == (24, without)
    assert proof_of(tmp_path / "penguins", "model.onnx")["bytes_equal"] is first["bytes_equal"]
    checked = json.loads(run(tmp_path, "verify", "penguins", "--json").stdout)["checked"]
    assert all(type(row["bytes_equal"]) is bool for row in checked)


def test_a_wrong_weight_is_refused_without_torch(tmp_path):
    """The oracle decides as before: a file of other weights differs from the state_dict of its bundle."""
    stub = blocked(tmp_path / "stub", "torch")
    assert run(tmp_path, *TRAIN, path=stub).returncode == 0
    code = """
import sys
import numpy as np
import export.bundle.build as build
made = build.build
def changed(source, *given, **options):
    from dataclasses import replace
    weight = source.affine.weight.copy()
    weight[0, 1] *= np.float32(1.00001)
    return made(replace(source, affine=replace(source.affine, weight=weight)), *given, **options)
build.build = changed
if "hide" in sys.argv:
    sys.argv.remove("hide")
    import export.proof.affine as affine
    affine._check_parameters = lambda *_: 2
from linreg.cli.main import main
main()
"""
    ended = run(tmp_path, "export", "-m", "penguins", "-f", "onnx", code=code, path=stub)
    assert ended.returncode == 3
    assert "parameter 'linear_layer.weight' differs from the state_dict" in ended.stderr
    ended = run(tmp_path, "export", "-m", "penguins", "-f", "onnx", "hide", code=code, path=stub)
    assert ended.returncode == 3
    assert "'output' at row 0" in ended.stderr
    assert not (tmp_path / "penguins" / "model.onnx").exists()


def test_the_source_is_that_of_the_module(tmp_path):
    from export.precision import ExportPrecision
    from export.source.inputs import Input
    from export.source.module_source import from_module
    from export.source.source import from_checkpoint, metadata_text

    checkpoint = load(REFERENCE)
    card = checkpoint.card
    metadata = {"features": list(card.features), "target": card.target, "ranges": list(map(list, card.ranges))}
    entry = Input(name="input", dtype=np.dtype("float32"), shape=("batch", 3))
    for precision in (None, *ExportPrecision):
        for static in (False, True):
            for names in ((), ("x",)):
                options = {"precision": precision, "static": static, "input_names": names}
                ours = from_checkpoint(checkpoint, **options)
                theirs = from_module(checkpoint.model, [entry], metadata=metadata, **options)
                assert metadata_text(ours) == metadata_text(theirs)
                assert (ours.inputs, ours.arguments, ours.axes) == (theirs.inputs, theirs.arguments, theirs.axes)
                assert (ours.output_names, ours.state_sha256) == (theirs.output_names, theirs.state_sha256)
                assert ours.affine.names == theirs.affine.names
                assert ours.affine.weight.tobytes() == theirs.affine.weight.tobytes()
                assert ours.affine.bias.tobytes() == theirs.affine.bias.tobytes()
                assert ours.affine.weight.dtype == theirs.affine.weight.dtype
