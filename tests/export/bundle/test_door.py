"""`export` and `verify` as a Python user calls them: what they take, write, refuse and return."""

import doctest
import json
from pathlib import Path

import onnx
import pytest
import torch

from export.bundle import export as export_module
from export.bundle import verify as verify_module
from export.bundle.export import export
from export.bundle.verified import VerifiedBundle, VerifiedFile
from export.bundle.verify import verify
from export.bundle.write import make_artifact
from export.formats.names import Format
from export.precision import ExportPrecision
from export.source.source import from_checkpoint
from linreg.bundle import open_bundle
from linreg.changes import changing
from linreg.checkpoint import load
from linreg.errors import ExportError, LinregError, MismatchError, ModelError, UntrustedError
from linreg.fitting import fit
from tests import nets
from tests.conftest import FEATURES, PENGUINS, contents


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(penguins, tmp_path):
    """The penguins' model without an artifact."""
    (tmp_path / "trained").mkdir()
    for name in ("model.pth", "card.json"):
        (tmp_path / "trained" / name).write_bytes((penguins / name).read_bytes())
    return tmp_path / "trained"


def relu_net():
    return torch.nn.Sequential(torch.nn.Linear(16, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))


def proof_of(bundle, name="model.onnx"):
    return bundle.manifest.entry(name).proof


def parameter_dtypes(path):
    return {tensor.data_type for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("module", [export_module, verify_module], ids=["export", "verify"])
def test_the_examples_in_docstrings_do_what_they_show(module):
    (example,) = [found for found in doctest.DocTestFinder().find(module, globs=vars(module).copy()) if found.examples]
    runner = doctest.DocTestRunner()
    runner.run(example)
    assert (runner.failures, runner.tries > 3) == (0, True)


def test_a_trained_bundle_is_exported_in_place_and_verified(trained):
    bundle = export(str(trained), trained, formats="all", data=PENGUINS)
    assert bundle.path == trained
    assert {proof_of(bundle, name)["cases"] for name in ("model.onnx", "model.pt2", "model.torchscript")} == {25}
    result = verify(bundle, data=PENGUINS)
    assert {row.against for row in result.rows} == {"test vectors", "float64 oracle"}
    assert {row.cases for row in result.rows if row.against == "float64 oracle"} == {25}
    assert len(result.rows) == 14


def test_whatever_holds_the_same_model_gives_the_same_bytes(trained, tmp_path):
    (tmp_path / "model.pth").write_bytes(b"another model, in the current folder")
    checkpoint = load(trained)
    fitted = fit(PENGUINS, target="body_mass_g", features=FEATURES.split(","))
    assert fitted.path is None
    for name, model in {"a": trained, "b": trained / "model.pth", "c": open_bundle(trained), "d": checkpoint}.items():
        export(model, name)
    export(fitted, "e")
    first = contents(tmp_path / "a")
    assert {"model.onnx", "model.pth", "card.json", "manifest.json"} < set(first)
    for name in "bcde":
        found = contents(tmp_path / name)
        assert {key: found[key] for key in first if key != "manifest.json"} == {
            key: first[key] for key in first if key != "manifest.json"
        }


def test_the_values_of_an_example_are_verified_and_its_first_axis_is_the_batch():
    module = relu_net()
    told = export(module, "told", inputs=["input=float32[batch,16]"], budget="all")
    shown = export(module, "shown", example=torch.randn(2, 16), budget="all")
    assert (Path("shown") / "model.onnx").read_bytes() == (Path("told") / "model.onnx").read_bytes()
    assert proof_of(shown)["cases"] == proof_of(told)["cases"] + 1
    assert verify(shown).rows[0].cases > 1


def test_several_example_tensors_are_named_as_the_arguments_of_forward():
    notes = []
    example = (torch.randn(3, 4), torch.randn(3, 6))
    export(nets.make(nets.TwoTowers), "towers", example=example, note=notes.append)
    graph = onnx.load("towers/model.onnx").graph
    assert [(entry.name, entry.type.tensor_type.shape.dim[0].dim_param) for entry in graph.input] == [
        ("user", "batch"),
        ("item", "batch"),
    ]
    assert notes == ["inputs as in example: --input 'user=float32[batch,4]' --input 'item=float32[batch,6]'"]


def test_a_static_example_fixes_every_shape():
    export(relu_net(), "fixed", example=(torch.randn(5, 16),), static=True)
    (entry,) = onnx.load("fixed/model.onnx").graph.input
    assert [axis.dim_value for axis in entry.type.tensor_type.shape.dim] == [5, 16]
    assert verify("fixed").files == ("model.onnx",)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ((torch.randn(2, 4), torch.randn(3, 6)), r"first axes of the tensors are 2, 3, expected one batch size"),
        ((torch.randn(2, 4), "item"), "item 1 is str, expected a torch.Tensor"),
        ((torch.randn(2, 4), torch.tensor(1.0)), r"tensor 1 has shape \[\], expected the batch as its first axis"),
        ((torch.randn(2, 4), torch.randn(0, 6)), r"tensor 1 has shape \[0, 6\]"),
        ((torch.randn(2, 4), torch.randn(2, 6).bfloat16()), "tensor 1 is bfloat16, expected one of float16"),
        ((torch.randn(2, 4),), "forward takes user, item; got 1 inputs"),
    ],
    ids=["batches", "type", "no-axis", "empty", "dtype", "count"],
)
def test_an_example_that_does_not_fit_is_refused(example, message):
    with pytest.raises(ExportError, match=message):
        export(nets.make(nets.TwoTowers), "towers", example=example)
    assert not Path("towers").exists()


def test_whole_numbers_of_an_example_are_indices_that_the_module_takes():
    """An embedding of ten rows takes indices below ten; those of the example say so."""
    example = torch.tensor([[0, 3, 9], [1, 1, 2]])
    bundle = export(torch.nn.Embedding(10, 2), "embedding", example=example, budget="all")
    assert proof_of(bundle)["cases"] == 11, "whole numbers have no scale"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "a module needs either inputs="),
        ({"inputs": ["x=float32[batch,16]"], "example": torch.randn(2, 8)}, r"'x' has shape \[2, 8\], expected"),
        ({"inputs": ["x=float32[batch,16]"], "keep_inputs": True}, "keep_inputs=True: there are no inputs of your own"),
        ({"inputs": ["x=float32[batch;16]"]}, r"got 'x=float32\[batch;16\]', expected NAME=DTYPE"),
        ({"inputs": ["x=float32[batch,16]"], "units": {"x": "m"}}, "units and data belong to a model of linreg train"),
        ({"inputs": ["x=float32[batch,16]"], "data": PENGUINS}, "units and data belong to a model of linreg train"),
        (
            {"inputs": ["x=float32[batch,16]"], "formats": ["tflite"]},
            "formats: got 'tflite', expected any of onnx",
        ),
        ({"inputs": ["x=float32[batch,16]"], "formats": []}, "formats: got none, expected any of onnx"),
        ({"inputs": ["x=float32[batch,16]"], "formats": "pt2", "opset": 18}, "opset belongs to ONNX"),
        ({"inputs": ["x=float32[batch,16]"], "opset": 5}, "opset: got 5, expected a number from 13 to 26"),
        ({"inputs": ["x=float32[batch,16]"], "prefix": "net"}, "prefix belongs to C source"),
        ({"inputs": ["x=float32[batch,16]"], "dtype": "float8"}, "dtype: got 'float8', expected one of float16"),
    ],
)
def test_an_argument_that_does_not_apply_is_refused(given, message):
    with pytest.raises(ExportError, match=message):
        export(relu_net(), "net", **given)
    assert not Path("net").exists()


def test_what_is_no_model_is_refused(trained):
    with pytest.raises(ExportError, match="inputs and example apply to your own module"):
        export(trained, "net", inputs=["x=float32[batch,3]"])
    with pytest.raises(ExportError, match="data may have any number of rows, but static fixes the batch size"):
        export(trained, "net", data=PENGUINS, static=True)
    with pytest.raises(
        ExportError, match=r"got int, expected the path of a bundle, a fitted model or a torch.nn.Module"
    ):
        export(7, "net")
    with pytest.raises(ExportError, match="is TorchScript already"):
        export(torch.jit.script(torch.nn.Linear(2, 2)), "net", inputs=["x=float32[batch,2]"])
    assert not Path("net").exists()


def test_a_refused_format_raises_after_the_others_were_written():
    net = torch.nn.Sequential(torch.nn.Linear(16, 2), torch.nn.Mish())
    with pytest.raises(ExportError, match=r"^c: operator Mish .* cannot be written as source code"):
        export(net, "net", inputs=["x=float32[batch,16]"], formats=["c", "torchscript"])
    assert verify("net").files == ("model.torchscript",)


def test_a_precision_is_told_once_and_names_the_file(trained):
    bundle = export(trained, trained, dtype="float64")
    assert parameter_dtypes(trained / "model.float64.onnx") == {onnx.TensorProto.DOUBLE}
    assert proof_of(bundle, "model.float64.onnx")["precision"] == "float64"
    export(trained, trained)
    assert parameter_dtypes(trained / "model.onnx") == {onnx.TensorProto.FLOAT}


def test_an_artifact_cannot_be_named_after_another_precision_than_its_own(trained):
    narrow, wide = from_checkpoint(load(trained)), from_checkpoint(load(trained), precision=ExportPrecision.FLOAT64)
    assert (narrow.precision, wide.precision) == (None, ExportPrecision.FLOAT64)
    with changing(trained, command="a test") as changes:
        with pytest.raises(TypeError, match="precision"):
            make_artifact(narrow, Format.ONNX, changes, precision=ExportPrecision.FLOAT64)
        assert make_artifact(wide, Format.ONNX, changes).path.name == "model.float64.onnx"
        assert changes.written == ("model.float64.onnx",)


def test_every_stage_is_announced_in_order():
    stages = []
    export(
        relu_net(),
        "net",
        inputs=["x=float32[batch,16]"],
        formats=["onnx", "pt2"],
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    assert ("prove onnx", 7, 20) in stages, "the eighth of 20 cases"
    assert [stage for stage in stages if stage[2] == 2] == [
        ("capture", 0, 2),
        ("write onnx", 0, 2),
        ("prove onnx", 0, 2),
        ("write pt2", 1, 2),
        ("prove pt2", 1, 2),
        ("finish the bundle", 2, 2),
    ]


def test_verify_sees_a_changed_byte_and_foreign_programs(monkeypatch, tmp_path):
    export(relu_net(), "net", inputs=["x=float32[batch,16]"], formats=["onnx", "torchscript"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    with pytest.raises(UntrustedError, match=r"model.torchscript: not run, .* add trust=True$"):
        verify("net")
    assert len(verify("net", trust=True).rows) == 2
    path = Path("net/model.onnx")
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(MismatchError, match=r"model.onnx: has sha256"):
        verify("net", trust=True)
    with pytest.raises(ModelError, match="nowhere: no such bundle or file"):
        verify("nowhere")


def test_rows_of_a_table_need_a_dynamic_batch(trained):
    export(trained, trained, static=True)
    with pytest.raises(LinregError, match="takes a fixed batch size, but data may have any number of rows"):
        verify(trained, data=PENGUINS)


def test_a_result_is_short_as_text_and_escaped_as_html():
    row = VerifiedFile(
        format=Format.ONNX, file="<b>.onnx", against="test vectors", cases=5, worst_error=0.25, bytes_equal=True
    )
    result = VerifiedBundle(path=Path("a&b"), rows=(row,), files=("<b>.onnx",))
    assert repr(result) == "VerifiedBundle('a&b', 1 of 1 artifacts, error / allowed 0.250)"
    html = result._repr_html_()
    assert "&lt;b&gt;.onnx" in html and "a&amp;b" in html and "<b>" not in html
    assert html.count("<tr>") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--unit", "weight"], "Invalid value for '--unit': got 'weight', expected COLUMN=UNIT such as body_mass_g=g"),
        (
            ["--input-names", "a,,b"],
            "Invalid value for '--input-names': got 'a,,b', expected names separated by commas",
        ),
        (["--output-names", ""], "Invalid value for '--output-names': got '', expected names separated by commas"),
        (["--input", "x=float32"], "Invalid value for '--input': got 'x=float32', expected NAME=DTYPE[AXIS,..]"),
        (["--static", "h=0"], "Invalid value for '--static': got 'h=0', expected the name of an axis"),
        (["--opset", "5"], "Invalid value for '--opset': got '5', expected at least 13"),
    ],
)
def test_options_with_a_syntax_of_their_own_fail_as_any_other(linreg, words, message):
    assert message in linreg("export", *words).failure(2)


def test_a_bare_state_dict_needs_a_folder(linreg, trained, tmp_path):
    (tmp_path / "alone.pth").write_bytes((trained / "model.pth").read_bytes())
    before = contents(tmp_path)
    message = linreg("export", "-m", "alone.pth").failure()
    assert message == (
        "error: alone.pth: is a state_dict without a bundle; name a folder for the bundle: "
        "linreg export -m alone.pth -o alone"
    )
    assert contents(tmp_path) == before
    assert linreg("export", "-m", "alone.pth", "-o", "alone").code == 0
    written = json.loads(linreg("verify", "alone", "--json").out)["checked"]
    assert [row["file"] for row in written] == ["model.onnx", "model.onnx"]
    assert linreg("export", "-m", "trained/model.pth").code == 0, "its card makes the folder a bundle"
