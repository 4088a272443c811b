"""`linreg verify` again later: trust, own rows, bundles of somebody's own module; and `linreg export` of such."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from linreg.errors import ExportError
from tests.conftest import PENGUINS, TESTS, contents

NETS = TESTS / "nets.py"
TOWERS = [
    *("--module", f"{NETS}:make_two_towers"),
    *("--input", "user=float32[batch,4]", "--input", "item=float32[batch,6]"),
]


def test_every_artifact_is_checked_against_vectors_and_reference(linreg, bundle):
    checked = json.loads(linreg("verify", bundle, "--data", PENGUINS, "--json").out)
    assert checked["not_run"] == []
    assert [(row["format"], row["against"], row["cases"]) for row in checked["checked"]] == [
        (kind, against, count)
        for against, count in (("test vectors", 5), ("float64 oracle", 25))
        for kind in ("onnx", "pt2", "torchscript", "torchscript-trace")
    ]
    assert all(row["worst_error"] <= 1 for row in checked["checked"])


def test_programs_of_somebody_else_are_not_run(linreg, bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    ended = linreg("verify", bundle)
    assert ended.code == 1
    assert "model.pt2, model.torchscript, model.traced.torchscript: not run" in ended.err
    assert "add --trust" in ended.err
    assert "model.onnx" in ended.out
    assert "model.pt2" not in ended.out
    assert "ok:" not in ended.out
    assert "not run" in linreg("verify", bundle / "model.pt2").err
    assert linreg("verify", bundle / "model.onnx").code == 0
    assert linreg("verify", bundle, "--trust").code == 0


def test_the_table_of_all_formats(linreg, bundle):
    ended = linreg("export", "-m", bundle, "--format", "all", "-o", "all", "--data", PENGUINS)
    assert ended.code == 0
    for text in ("model.onnx", "model.traced.torchscript", "onnxruntime >= 1.15.1", "error / allowed", "model.pt2"):
        assert text in ended.out
    manifest = json.loads(Path("all/manifest.json").read_text())
    proofs = {entry["name"]: entry["proof"] for entry in manifest["files"] if entry["proof"]}
    assert {proof["cases"] for proof in proofs.values()} == {25}, "24, and the rows of --data"
    assert set(manifest["verified_with"]) >= {"torch", "onnxruntime", "cpu_capability"}


def test_another_precision_has_a_file_of_its_own(linreg, bundle):
    before = contents(bundle)
    assert linreg("export", "-m", bundle, "--dtype", "float64").code == 0
    after = contents(bundle)
    assert set(after) - set(before) == {"model.float64.onnx"}
    assert {name for name in before if before[name] != after[name]} == {"manifest.json", "SHA256SUMS"}
    assert linreg("verify", bundle).code == 0
    assert linreg("verify", bundle / "model.float64.onnx").code == 0
    assert "no bfloat16 Gemm" in linreg("export", "-m", bundle, "--dtype", "bfloat16").failure(2)


def test_units_and_opset(linreg, bundle):
    assert (
        linreg("export", "-m", bundle, "--opset", "20", "--unit", "body_mass_g=g", "--unit", "bill_length_mm=mm").code
        == 0
    )
    shown = json.loads(linreg("inspect", bundle / "model.onnx", "--json").out)
    assert shown["facts"]["opset"] == 20
    assert shown["metadata"]["linreg.units"] == {"body_mass_g": "g", "bill_length_mm": "mm"}
    assert "'weight' is not a column" in linreg("export", "-m", bundle, "--unit", "weight=kg").failure()
    assert linreg("export", "-m", bundle, "--unit", "weight").failure(2)
    assert linreg("export", "-m", bundle, "--opset", "5").failure(2)


def test_a_static_batch_is_verified_as_one(linreg, bundle):
    assert linreg("export", "-m", bundle, "--static", "-o", "static").code == 0
    shown = json.loads(linreg("inspect", "static/model.onnx", "--json").out)
    assert shown["inputs"][0]["shape"] == [1, 3]
    assert linreg("verify", "static").code == 0


def test_a_module_of_ones_own(linreg, tmp_path):
    ended = linreg("export", *TOWERS, "--format", "all", "-o", "towers")
    assert ended.code == 0, ended.err
    assert ended.err.count("c, js, sql: the network has 2 inputs and 2 outputs") == 1
    assert "running" in ended.err
    assert {path.name for path in Path("towers").iterdir()} >= {"model.pth", "model.onnx", "model.pt2", "manifest.json"}
    verified = json.loads(linreg("verify", "towers", "--json").out)
    assert [(row["format"], row["against"]) for row in verified["checked"]] == [
        (kind, "test vectors") for kind in ("onnx", "pt2", "torchscript", "torchscript-trace")
    ]
    again = linreg("export", *TOWERS, "--state-dict", "towers/model.pth", "-o", "again")
    assert again.code == 0, again.err
    assert Path("again/model.onnx").read_bytes() == Path("towers/model.onnx").read_bytes()


def test_what_cannot_be_exported_is_told_and_the_rest_is_kept(linreg):
    words = ["--module", f"{NETS}:make_branches", "--input", "x=float32[batch,4]", "--format", "all", "-o", "branches"]
    ended = linreg("export", *words)
    assert ended.code == 1
    assert "refused" in ended.out
    assert "GuardOnDataDependent" in ended.err
    assert ended.err.count("c, js, sql: source code is written from the ONNX file, which was refused") == 1
    kept = {path.name for path in Path("branches").iterdir()}
    vectors = {name for name in kept if name.startswith("test_data_set_")} | {"data.json"}
    assert kept - vectors == {"model.pth", "card.json", "model.torchscript", "manifest.json", "SHA256SUMS"}
    assert linreg("verify", "branches").code == 0


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["--module", "missing.py:net", "-o", "d", "--input", "x=float32[batch,4]"], "expected FILE.py:NAME", 1),
        (["--module", f"{NETS}:make_mlp", "-o", "d"], "one --input for each argument", 2),
        (["--module", f"{NETS}:make_mlp", "--input", "x=float32[batch,16]"], "needs a bundle of its own, -o", 2),
        (["--state-dict", "net.pth"], "--state-dict applies to your own module", 2),
        (["--module", f"{NETS}:make_mlp", "--input", "x=float32[16]", "-o", "d"], "write its first axis as batch", 1),
    ],
    ids=["file", "no-input", "no-output", "no-module", "no-batch"],
)
def test_wrong_words_for_a_module(linreg, tmp_path, words, message, code):
    assert message in linreg("export", *words).failure(code)
    assert not (tmp_path / "d" / "model.onnx").exists()


def test_files_of_the_users_own_are_not_overwritten(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "b")
    for name in ("data.json", "model.onnx.data", "test_data_set_0/input_0.pb"):
        (tmp_path / "b" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "b" / name).write_text("mine")
        assert f"b/{name}: exists and is not what the manifest lists" in linreg("export", "-m", "b").failure()
        assert (tmp_path / "b" / name).read_text() == "mine"
        (tmp_path / "b" / name).unlink()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "SHA256SUMS").write_text("mine")
    assert "c/SHA256SUMS: exists" in linreg("train", "--epochs", "5", "-o", "c").failure()


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_file_of_the_users_own_among_the_vectors_is_to_be_moved_away(linreg, bundle, force):
    (bundle / "test_data_set_0" / "notes.txt").write_bytes(b"mine")
    code, _, err = linreg("export", "-m", bundle, "-f", "onnx", *force)
    assert code == 1
    assert "notes.txt: is not a test vector; move it away, and export again" in err
    assert (bundle / "test_data_set_0" / "notes.txt").read_bytes() == b"mine"


def test_a_forced_export_that_is_refused_takes_no_model_away(linreg, bundle, monkeypatch):
    def refuse(*_args, **_options):
        raise ExportError("not today")

    linreg("train", "--epochs", "5", "-o", "b")
    before = contents(bundle)
    monkeypatch.setattr("export.bundle.build.build", refuse)
    code, _, err = linreg("export", "-m", "b", "-o", bundle, "-f", "onnx", "--force")
    assert (code, "not today" in err) == (1, True)
    assert contents(bundle) == before


def test_a_static_export_leaves_no_vectors_of_other_batches(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "b")
    assert linreg("export", "-m", "b").code == 0
    assert linreg("export", "-m", "b", "-f", "pt2", "--static").code == 0
    assert linreg("verify", "b").code == 0
    assert linreg("export", "-m", "b", "--static").code == 0
    assert sorted(path.name for path in (tmp_path / "b").glob("test_data_set_*")) == ["test_data_set_0"]
    assert linreg("verify", "b").code == 0


def test_an_artifact_that_is_not_listed_is_a_mismatch(linreg, bundle):
    shutil.copy(bundle / "model.onnx", bundle / "model.float64.onnx")
    assert "model.float64.onnx: is an artifact that the manifest does not list" in linreg("verify", bundle).failure(3)


def test_data_needs_columns_with_names(linreg, tmp_path):
    assert linreg("export", *TOWERS, "-o", "towers").code == 0
    assert "--data: towers is not a model of linreg train" in linreg("verify", "towers", "--data", PENGUINS).failure()


def test_a_bundle_that_was_moved_is_still_verified(linreg, bundle, tmp_path):
    shutil.move(bundle, tmp_path / "elsewhere")
    assert linreg("verify", "elsewhere").code == 0


@pytest.mark.parametrize("rows", [(), ("39.1,,181", "NA,18,195")], ids=["none", "incomplete"])
@pytest.mark.parametrize("words", [("export", "-o", "other", "-m"), ("verify",)], ids=["export", "verify"])
def test_a_table_without_a_complete_row_verifies_nothing(linreg, bundle, table, words, rows):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", *rows)
    message = linreg(*words, bundle, "--data", path).failure()
    assert f"--data: {path} has no complete row" in message
    assert not Path("other/model.onnx").exists()


def test_what_a_module_prints_is_no_part_of_the_result_of_verify(tmp_path):
    """A real process, since TorchScript prints past Python."""
    (tmp_path / "prints.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, 1)\n"
        "    def forward(self, x):\n        print('hello')\n        return super().forward(x)\n".replace(
            "super().forward(x)", "x @ self.weight.t() + self.bias"
        )
    )
    linreg = [sys.executable, "-m", "linreg"]
    words = ["--module", "prints.py:Net", "--input", "x=float32[2,2]", "--static", "-f", "torchscript", "-o", "b"]
    done = subprocess.run([*linreg, "export", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    command = [*linreg, "verify", "b", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["file"] for row in json.loads(done.stdout)["checked"]] == ["model.torchscript"]
    assert "hello" in done.stderr
