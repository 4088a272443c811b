"""The bundle of a user's own module is a bundle: verify, bench, predict and inspect find what they need in its card."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import linreg as door
from linreg.cli.main import main
from linreg.errors import DataError, LinregError, MismatchError, ModelError
from linreg.manifest import manifest_files, read_manifest
from tests.conftest import PENGUINS, contents, forge

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.table = nn.Embedding(50, width)
        self.head = nn.Linear(width + 3, 2)

    def forward(self, ids, x):
        both = torch.cat([self.table(ids).mean(1), x], 1)
        return {"score": torch.tanh(self.head(both)), "total": x.sum(1)}


def make_net():
    torch.manual_seed(20261126)
    return Net()


def wrong_net():
    return nn.Sequential(nn.Linear(3, 2), nn.Tanh())


def wide_net():
    return Net(8)
"""
INPUTS = ["--input", "ids=int64[batch,5]<50", "--input", "x=float32[batch,3]"]
MODULE = ["--module", "nets.py:make_net"]
BUDGET = ["--budget", "0.01s"]  # some cases are left out, even on a quick machine
ESCAPE = "\x1b[31m"


@pytest.fixture(autouse=True)
def forgotten():
    """Other tests import another nets.py."""
    yield
    sys.modules.pop("nets", None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bundle as `linreg export` writes it, in a folder beside its code."""
    folder = tmp_path_factory.mktemp("module-bundle")
    (folder / "nets.py").write_text(CODE)
    words = [*MODULE[:1], f"{folder / 'nets.py'}:make_net", *INPUTS, *BUDGET, "-f", "onnx", "-f", "torchscript"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["linreg", "export", *words, "-o", "net"])
        main()
    assert not ended.value.code
    return folder


@pytest.fixture
def net(made, tmp_path):
    """A copy of the bundle that a test may change: `net` in the folder where commands run."""
    shutil.copy(made / "nets.py", tmp_path)
    return Path(shutil.copytree(made / "net", tmp_path / "net"))


@pytest.fixture
def module(net):
    """The module of the bundle."""
    names: dict = {"__name__": "nets_of_bundle"}
    exec(CODE, names)
    found = names["make_net"]()
    found.load_state_dict(torch.load(net / "model.pth", weights_only=True))
    return found.eval()


def arrays(rows=6):
    generator = np.random.default_rng(7)
    return {
        "ids": generator.integers(0, 50, (rows, 5)),
        "x": generator.standard_normal((rows, 3)).astype(np.float32),
    }


def card(net):
    return json.loads((net / "card.json").read_text())


def without(net, *names):
    """Take files out of a bundle and its manifest, as an older linreg did not write them."""
    manifest = read_manifest(net)
    kept = [entry for entry in manifest.files if not entry.name.startswith(names)]
    for entry in manifest.files:
        if entry not in kept:
            (net / entry.name).unlink()
    for name, data in manifest_files(manifest.state_sha256, kept).items():
        (net / name).write_bytes(data)


def test_the_card_says_what_the_module_takes_and_no_path(net):
    found = card(net)
    assert found["code"] == "nets.py:make_net"
    assert found["state_sha256"] == read_manifest(net).state_sha256
    assert found["inputs"] == [
        {
            "argument": "ids",
            "name": "ids",
            "dtype": "int64",
            "shape": ["batch", 5],
            "least": 0,
            "below": 50,
            "prefix": False,
        },
        {
            "argument": "x",
            "name": "x",
            "dtype": "float32",
            "shape": ["batch", 3],
            "least": None,
            "below": None,
            "prefix": False,
        },
    ]
    assert found["axes"] == [{"name": "batch", "least": 1, "most": None, "step": 1}]
    assert found["outputs"] == [{"name": "score", "shape": ["batch", 2]}, {"name": "total", "shape": ["batch"]}]
    assert str(net.parent) not in (net / "card.json").read_text()


def test_a_place_outside_the_folder_is_cut_to_its_file(monkeypatch, tmp_path):
    from export.source.card import place_in_file

    monkeypatch.chdir(tmp_path)
    places = {
        "src/nets.py:make": "src/nets.py:make",
        f"{tmp_path}/src/nets.py:make": "src/nets.py:make",
        "/home/alice/nets.py:make": "nets.py:make",
        "../alice/nets.py:make": "nets.py:make",
        "package.nets:make": "package.nets:make",
        "a\nb.py:make": None,
    }
    assert {place: place_in_file(place) for place in places} == places


def test_the_class_of_a_module_is_its_place_in_python_if_it_can_be_imported(module):
    from export.source.card import place_of_class

    assert place_of_class(torch.nn.Linear(2, 1)) == "torch.nn.modules.linear:Linear"
    assert place_of_class(module) is None


# ---- verify ----------------------------------------------------------------------------------------------------------


def test_verify_compares_with_the_oracle_of_the_module(linreg, net):
    rows = json.loads(linreg("verify", "net", *MODULE, *BUDGET, "--json").out)["checked"]
    assert [(row["file"], row["against"]) for row in rows] == [
        (name, against)
        for against in ("test vectors", "float64 oracle")
        for name in ("model.onnx", "model.torchscript")
    ]
    assert all(row["worst_error"] <= 1 for row in rows)
    assert all(row["cases"] >= 3 for row in rows[2:])
    assert {row["against"] for row in json.loads(linreg("verify", "net", "--json").out)["checked"]} == {"test vectors"}


def test_verify_with_the_module_finds_a_fault_without_vectors(linreg, net):
    model = onnx.load(net / "model.onnx")
    tensor = next(entry for entry in model.graph.initializer if entry.name == "table.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[3, 1] *= np.float32(1.001)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    forge(net, model_onnx=model.SerializeToString())
    without(net, "test_data_set_", "data.json")
    assert "add --module" in linreg("verify", "net").failure()
    assert "model.onnx" in linreg("verify", "net", *MODULE, *BUDGET).failure(3)
    assert linreg("verify", "net/model.torchscript", *MODULE, *BUDGET).code == 0


def test_verify_with_other_code_names_the_keys(linreg, net):
    message = linreg("verify", "net", "--module", "nets.py:wrong_net").failure()
    assert "net/model.pth: keys differ: missing ['0.bias', '0.weight']" in message
    assert "which was nets.py:make_net" in message
    assert "table.weight" in linreg("verify", "net", "--module", "nets.py:wide_net").failure()


def test_verify_checks_the_bytes_before_the_code_runs(linreg, net):
    (net / "model.pth").write_bytes(b"cut")
    ended = linreg("verify", "net", *MODULE)
    assert "net/model.pth: has sha256" in ended.failure(3)
    assert "running" not in ended.err


def test_options_of_verify_that_do_not_apply(linreg, bundle, net):
    assert "--budget has no effect without --module" in linreg("verify", "net", *BUDGET).failure(2)
    assert "--data has the rows of a table" in linreg("verify", "net", *MODULE, "--data", PENGUINS).failure(2)
    assert "it holds a linear model" in linreg("verify", bundle, *MODULE).failure()
    without(net, "card.json")
    assert linreg("verify", "net").code == 0
    assert "was exported by an older linreg" in linreg("verify", "net", *MODULE).failure()


def test_verify_in_python_takes_the_module_itself(net, module):
    result = door.verify(net, module=module, budget="0.5s")
    assert [row.against for row in result.rows] == ["test vectors"] * 2 + ["float64 oracle"] * 2
    with pytest.raises(ModelError, match=r"keys differ: missing \['0\.bias', '0\.weight'\]"):
        door.verify(net, module=torch.nn.Sequential(torch.nn.Linear(3, 2)))
    with pytest.raises(LinregError, match="budget: has no effect without the module"):
        door.verify(net, budget="1s")
    with torch.no_grad():
        module.head.bias += 1
    with pytest.raises(MismatchError, match="holds other values than the module"):
        door.verify(net, module=module)


# ---- bench -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("threads")
def test_bench_takes_weights_and_inputs_from_the_bundle(net, monkeypatch):
    monkeypatch.chdir(net.parent)
    settings = {"batches": 1, "processes": 1, "rounds": 10, "device": "cpu"}
    report = door.bench("net", module="nets.py:make_net", **settings)
    assert report.state_sha256 == read_manifest(net).state_sha256
    rows = {row.name: row for row in report.comparisons[0].rows}
    assert rows["onnxruntime-run"].worst_error <= 1
    assert rows["torchscript"].origin == "bundle"
    assert rows["pt2"].origin == "rebuilt"


def test_a_row_learns_its_arguments_from_the_card_and_runs_nothing_for_it(net, monkeypatch):
    from bench.plan.subject import Subject

    monkeypatch.setattr("export.source.module_source.probe_outputs", None)
    subject = Subject(path=str(net / "model.pth"), module=f"{net.parent / 'nets.py'}:make_net", bundle=str(net))
    arguments = subject.arguments_of_forward(Subject.module_itself(subject))
    assert (arguments.paths, arguments.positional) == (("ids", "x"), 2)


def test_bench_without_the_code_says_how_to_name_it(linreg, net):
    assert "linreg bench -m net --module nets.py:make_net" in linreg("bench", "-m", "net").failure()
    with pytest.raises(LinregError, match="net: holds a module; add the code that makes it: module=make_net"):
        door.bench(net)


def test_options_of_bench_that_do_not_apply(linreg, bundle, net):
    for words in (INPUTS[:2], ["--state-dict", "net/model.pth"]):
        assert "has no effect: net describes its inputs" in linreg("bench", "-m", "net", *MODULE, *words).failure(2)
    assert "or name its bundle with -m" in linreg("bench", *MODULE).failure(2)
    assert "--trust applies to the programs of a bundle" in linreg("bench", *MODULE, *INPUTS, "--trust").failure(2)
    assert "needs a model of linreg train" in linreg("bench", *MODULE, *INPUTS, "--runtimes", ".").failure(2)
    assert "it holds a linear model" in linreg("bench", "-m", bundle, *MODULE).failure()
    assert "keys differ" in linreg("bench", "-m", "net", "--module", "nets.py:wrong_net").failure()
    with pytest.raises(LinregError, match="module: got a module, expected the function"):
        door.bench(net, module=torch.nn.Linear(3, 2))


# ---- predict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["net", "net/model.onnx", "net/model.torchscript"])
def test_predict_writes_the_outputs_of_the_module(linreg, net, module, model):
    np.savez("batch.npz", **arrays())
    ended = linreg("predict", "batch.npz", "-m", model, "-o", "new/out.npz")
    assert (ended.code, ended.out) == (0, ""), ended.err
    assert "score float32[6, 2], total float32[6]: new/out.npz" in ended.err
    with torch.inference_mode():
        expected = module(**{name: torch.from_numpy(array) for name, array in arrays().items()})
    with np.load("new/out.npz") as found:
        assert found.files == ["score", "total"]
        for name, output in expected.items():
            np.testing.assert_allclose(found[name], output.numpy(), rtol=1e-5, atol=1e-6)
    again = linreg("predict", "batch.npz", "-m", model, "-o", "new/out.npz")
    assert "already up to date" in again.err
    np.savez("batch.npz", **arrays(2))
    words = ["predict", "batch.npz", "-m", model, "-o", "new/out.npz"]
    assert "already exists with other contents" in linreg(*words).failure()
    assert linreg(*words, "--force").code == 0


def wrong(**changes):
    return {name: array for name, array in (arrays() | changes).items() if array is not None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (wrong(x=None), "got arrays named ids, expected ids, x"),
        (wrong(y=np.zeros(2)), "got arrays named ids, x, y, expected ids, x"),
        ({}, "got arrays named nothing, expected ids, x"),
        (wrong(x=arrays()["x"].astype(np.float64)), "x: is float64, expected float32; convert it: x.astype('float32')"),
        (wrong(ids=arrays()["ids"].astype(np.int32)), "ids: is int32, expected int64"),
        (wrong(x=arrays()["x"][:, :2]), "x: has shape (6, 2), expected (batch, 3)"),
        (wrong(x=arrays()["x"][0]), "x: has shape (3,), expected (batch, 3)"),
        (wrong(x=arrays()["x"][:5]), "x: has batch 5, and ids has batch 6; they must be equal"),
        (arrays(0), "ids: has batch 0, expected 1 or more"),
        (wrong(x=np.array([object()])), "is not a readable file of arrays: Object arrays cannot be loaded"),
    ],
    ids=["missing", "surplus", "none", "dtype", "integers", "size", "axes", "unequal", "empty", "pickled"],
)
def test_predict_refuses_arrays_of_another_kind(linreg, net, given, message):
    np.savez("batch.npz", **given)
    assert f"batch.npz: {message}" in linreg("predict", "batch.npz", "-m", "net", "-o", "new/out.npz").failure()
    assert not Path("new").exists()


AXES = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x).tanh(), x[:, ::2]
"""


def test_a_bundle_with_named_axes(linreg, tmp_path):
    (tmp_path / "axes.py").write_text(AXES)
    words = ["--input", "x=float32[batch,seq:2..8*2,4]", *BUDGET, "-o", "net"]
    assert linreg("export", "--module", "axes.py:Net", *words).code == 0
    assert card(tmp_path / "net")["axes"][1] == {"name": "seq", "least": 2, "most": 8, "step": 2}
    assert card(tmp_path / "net")["outputs"][1]["shape"] == ["batch", None, 4]
    assert linreg("verify", "net", "--module", "axes.py:Net", *BUDGET).code == 0
    assert "2 to 8 in steps of 2" in linreg("inspect", "net").out
    expected = {8: 0, 3: 1, 10: 1, 0: 1}
    for size in expected:
        np.save("x.npy", np.ones((3, size, 4), np.float32))
        ended = linreg("predict", "x.npy", "-m", "net", "-o", f"{size}.npz")
        assert ended.code == expected[size]
        assert Path(f"{size}.npz").exists() == (ended.code == 0)
        assert ended.code == 0 or f"has seq {size}, expected 2 to 8 in steps of 2" in ended.err
    with np.load("8.npz") as found:
        assert found["output_1"].shape == (3, 4, 4)


def test_predict_takes_big_endian_and_strided_arrays(linreg, net):
    plain = arrays()
    np.savez("a.npz", **plain)
    np.savez("b.npz", ids=np.asfortranarray(plain["ids"]), x=plain["x"].astype(">f4"))
    for name in "ab":
        assert linreg("predict", f"{name}.npz", "-m", "net", "-o", f"{name}-out.npz").code == 0
    assert Path("a-out.npz").read_bytes() == Path("b-out.npz").read_bytes()


def test_predict_says_which_values_the_proof_did_not_try(linreg, net):
    np.savez("batch.npz", **wrong(ids=arrays()["ids"] - 1))
    ended = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz")
    assert "ids: has values from -1 to 48, and the proof tried 0 to 49" in ended.err
    np.savez("batch.npz", **wrong(ids=arrays()["ids"] + 1000))
    message = linreg("predict", "batch.npz", "-m", "net", "-o", "none.npz").failure()
    assert "net/model.onnx: does not run on these arrays" in message
    assert not Path("none.npz").exists()


def test_predict_with_one_array(linreg, tmp_path):
    door.export(
        torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()),
        tmp_path / "one",
        inputs="x=float32[batch,3]",
        budget="0.5s",
    )
    np.save("rows.npy", arrays()["x"])
    assert linreg("predict", "rows.npy", "-m", "one", "-o", "a.npz").code == 0
    np.savez("rows.npz", x=arrays()["x"])
    assert linreg("predict", "rows.npz", "-m", "one", "-o", "b.npz").code == 0
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_predict_needs_the_right_kind_of_file(linreg, bundle, net):
    np.savez("batch.npz", **arrays())
    np.save("rows.npy", arrays()["x"])
    for model in ("net", "net/model.onnx", "net/model.pth"):
        message = linreg("predict", PENGUINS, "-m", model, "-o", "out.csv").failure()
        assert "which takes arrays: ids=int64[batch,5]<50, x=float32[batch,3]" in message
        assert "linreg predict batch.npz -m net -o out.npz" in message
    for model in ("penguins", "penguins/model.onnx"):
        message = linreg("predict", "batch.npz", "-m", model, "-o", "out.npz").failure()
        assert f"{model} is a linear model, which takes a table: linreg predict TABLE.csv -m {model}" in message
    expected = {
        ("rows.npy", "-m", "net", "-o", "out.npz"): (1, "holds one array without a name, expected ids, x"),
        ("batch.npz", "-m", "net/model.pth", "-o", "out.npz"): (1, "is not an exported file; use -m net"),
        ("batch.npz", "-m", "net"): (2, "add -o OUT.npz"),
        ("batch.npz", "-o", "out.npz"): (2, "name its bundle with -m BUNDLE"),
        ("batch.npz", "-m", "net", "-o", "out.csv"): (2, "expected a name that ends in .npz"),
        ("batch.npz", "-m", "net", "-o", "batch.npz", "--force"): (1, "is the input itself"),
        ("missing.npz", "-m", "net", "-o", "out.npz"): (1, "missing.npz: no such file"),
        (str(PENGUINS), "-m", "penguins", "--trust"): (2, "--trust belongs to arrays"),
    }
    for words, (code, text) in expected.items():
        assert text in linreg("predict", *words).failure(code)
    assert not Path("out.npz").exists()


def test_predict_runs_programs_of_others_only_if_they_are_trusted(linreg, net, monkeypatch, tmp_path):
    np.savez("batch.npz", **arrays())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    words = ["predict", "batch.npz", "-m", "net/model.torchscript", "-o", "out.npz"]
    assert "if you trust it, add --trust" in linreg(*words).failure()
    assert not Path("out.npz").exists()
    assert linreg(*words, "--trust").code == 0
    assert linreg("predict", "batch.npz", "-m", "net", "-o", "onnx.npz").code == 0, "in a child process"


# ---- inspect, and the commands that need a linear model --------------------------------------------------------------


def test_inspect_shows_card_and_proofs(linreg, net):
    shown = linreg("inspect", "net").out
    for text in ("nets.py:make_net", "int64", "0 to 49", "(batch, 5)", "1 or more", "score", "model.torchscript"):
        assert text in shown
    assert "3 of 3" in shown
    assert "model.onnx: not tried: " in shown
    found = json.loads(linreg("inspect", "net", "--json").out)
    assert {key: found[key] for key in card(net)} == card(net)
    assert [entry["name"] for entry in found["files"]] == ["model.onnx", "model.torchscript"]
    assert found["files"][0]["not_tried"]


def test_inspect_of_a_linear_bundle_names_its_files(linreg, bundle):
    assert "is a folder, expected a file" in linreg("inspect", bundle).failure()


def test_commands_that_need_a_linear_model_say_so(linreg, net):
    before = contents(net)
    for words in (["evaluate", "-m"], ["plot", PENGUINS, "-m"], ["export", "-m"]):
        assert "net: holds a module that was exported with --module" in linreg(*words, "net").failure()
    with pytest.raises(
        ModelError, match="is the state_dict of a module of your own; create that module by its own code"
    ):
        door.load(net)
    assert contents(net) == before


def test_artifacts_with_other_inputs_do_not_share_a_bundle(linreg, net):
    other = ["--input", "ids=int64[batch,6]<50", "--input", "x=float32[batch,3]"]
    words = ["export", *MODULE, "--state-dict", "net/model.pth", *BUDGET, "-f", "torchscript", "-o", "net"]
    before = contents(net)
    assert "net: holds model.onnx with other inputs or outputs" in linreg(*words, *other).failure()
    assert contents(net) == before
    assert linreg(*words, *INPUTS).code == 0, "the same inputs"
    assert (net / "model.onnx").exists()
    assert linreg(*words, *other, "--force").code == 0
    assert not (net / "model.onnx").exists()
    assert card(net)["inputs"][0]["shape"] == ["batch", 6]
    assert linreg("verify", "net").code == 0


# ---- a card of a stranger --------------------------------------------------------------------------------------------


def hostile(net, **changes):
    forge(net, card_json=json.dumps(card(net) | changes).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("code", f"nets.py:{ESCAPE}make"),
        ("code", "/etc/nets.py:make_net"),
        ("inputs", [{"argument": "x", "name": "x", "dtype": "float32", "shape": [2**50]}]),
        ("inputs", "nets.py"),
        ("axes", [{"name": ESCAPE, "least": "1", "most": None, "step": 1}]),
        ("outputs", [None]),
        ("schema_version", 99),
        (ESCAPE, 1),
    ],
)
def test_a_hostile_card_is_refused_in_one_line(linreg, net, key, value):
    np.savez("batch.npz", **arrays())
    hostile(net, **{key: value})
    for words in (
        ["inspect", "net"],
        ["verify", "net"],
        ["verify", "net", *MODULE],
        ["bench", "-m", "net", *MODULE],
        ["predict", "batch.npz", "-m", "net", "-o", "out.npz"],
    ):
        ended = linreg(*words)
        assert "net/card.json: " in ended.failure(), words
        assert "\x1b" not in ended.err
        assert "running" not in ended.err
    assert not Path("out.npz").exists()


def test_names_of_a_strangers_card_are_escaped(linreg, net):
    found = card(net)
    found["outputs"][0]["name"] = f"{ESCAPE}../../score"
    hostile(net, **found)
    shown = linreg("inspect", "net")
    assert shown.code == 0
    assert "\\x1b[31m../../score" in shown.out
    assert "\x1b" not in shown.out
    np.savez("batch.npz", **arrays())
    ended = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz")
    assert ended.code == 0
    assert "\x1b" not in ended.err


def test_a_card_of_other_weights_is_a_mismatch(linreg, net):
    hostile(net, state_sha256="1" * 64)
    assert "belongs to weights other than those of the manifest" in linreg("verify", "net").failure(3)


def test_the_code_of_a_card_is_never_run(linreg, net):
    (net.parent / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    hostile(net, code="evil.py:make_net")
    np.savez("batch.npz", **arrays())
    assert linreg("inspect", "net").code == 0
    assert linreg("verify", "net").code == 0
    assert linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz").code == 0
    assert linreg("verify", "net", *MODULE, *BUDGET).code == 0
    assert linreg("bench", "-m", "net").failure()
    assert not Path("ran").exists()


def test_a_file_may_not_be_named_after_a_model_of_arrays(net):
    from export.bundle.prediction import open_array_model

    with pytest.raises(ModelError, match="is not an artifact"):
        open_array_model(net / "data.json", trust=False)
    shutil.copy(net / "model.onnx", net / "model.float64.onnx")
    with pytest.raises(ModelError, match="is not an artifact"):
        open_array_model(net / "model.float64.onnx", trust=False)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    import export.bundle.array_files as array_files

    monkeypatch.setattr(array_files, "MAX_ARRAYS_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(1000))
    with pytest.raises(DataError, match="its arrays take"):
        array_files.read_arrays(tmp_path / "a.npz", ["x"])


def test_a_bundle_without_a_card_asks_for_another_export(linreg, net):
    without(net, "card.json")
    np.savez("batch.npz", **arrays())
    message = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz").failure()
    assert "has no card.json that describes its inputs, since an older linreg exported it" in message
