"""What `linreg inspect` shows is what onnx and torch read in the same file."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.inspection.inspect import inspect_file
from export.inspection.onnx import onnx_versions
from export.inspection.torchscript import signature
from linreg.errors import ModelError
from tests.hostile_files import CLASS, NODE, field, metadata, onnx_file, strict_json, torchscript, torchscript_with


def inspected(tmp_path: Path, data: bytes):
    (tmp_path / "file").write_bytes(data)
    return inspect_file(tmp_path / "file")


def parts_of_onnx(data: bytes) -> dict:
    """The same by onnx's own classes."""
    model = onnx.load_model_from_string(data)

    def dtype(number: int) -> str:
        return "string" if number == 8 else str(helper.tensor_dtype_to_np_dtype(number))

    def value(entry) -> dict:
        tensor = entry.type.tensor_type
        shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
        return {"name": entry.name, "dtype": dtype(tensor.elem_type), "shape": shape}

    return {
        "inputs": [value(entry) for entry in model.graph.input],
        "outputs": [value(entry) for entry in model.graph.output],
        "parameters": [
            {"name": entry.name, "dtype": dtype(entry.data_type), "shape": list(entry.dims)}
            for entry in model.graph.initializer
        ],
        "operators": {
            name: sum(node.op_type == name for node in model.graph.node)
            for name in dict.fromkeys(node.op_type for node in model.graph.node)
        },
    }


def odd_model() -> bytes:
    """Every dtype, scalars, empty tensors, large sizes, negative ones, names beyond ASCII."""
    dtypes = [number for number in range(1, 24) if number != 8]
    info = helper.make_tensor_value_info
    parameters = [numpy_helper.from_array(np.zeros(shape, np.int8), f"w{shape}") for shape in ((), (0, 3), (2, 1, 300))]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Add", ["x", "x"], ["z"], domain="eigen")] * 2,
        "g",
        [info(f"größe {number}", number, ["batch", 2**40, -3]) for number in dtypes],
        [info("y", TensorProto.STRING, []), info("z", TensorProto.FLOAT, None)],
        parameters,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 300), helper.make_opsetid("eigen", 2)]
    ).SerializeToString()


@pytest.mark.parametrize("twice", [False, True], ids=["once", "merged"])
def test_onnx_is_read_as_by_onnx(tmp_path, twice):
    data = odd_model() * (1 + twice)  # protobuf merges a message with what follows it
    found = inspected(tmp_path, data)
    for name, wanted in parts_of_onnx(data).items():
        assert getattr(found, name) == wanted
    assert (found.facts["opset"], found.facts["opset of eigen"]) == (300, 2)
    assert onnx_versions(data) == (300, found.facts["ir_version"])


def test_a_cut_onnx_file_is_refused_wherever_onnx_refuses_it(tmp_path):
    data = onnx_file(NODE * 2 + field(12, field(1, b"y")), metadata(b"a", b"b"))
    for keep in range(len(data)):
        try:
            onnx.load_model_from_string(data[:keep])
        except Exception:
            with pytest.raises(ModelError):
                inspected(tmp_path, data[:keep])


DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
DTYPES += ["complex64", "complex128", "uint16", "uint32"]
STATES = {
    "dtypes": lambda: {name: torch.zeros(2, 3, dtype=getattr(torch, name)) for name in DTYPES},
    "shapes": lambda: {
        "scalar": torch.tensor(1.0),
        "empty": torch.zeros(0, 3),
        "transposed": torch.zeros(2, 3).T,
        "view": torch.zeros(10, 10)[3:5, ::2],
        "expanded": torch.zeros(1).expand(4, 5),
        "parameter": torch.nn.Parameter(torch.zeros(7)),
    },
    "module": lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 4)).state_dict(),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_dict_is_read_as_by_torch(tmp_path, name):
    state = STATES[name]()
    torch.save(state, tmp_path / "file")
    found = inspect_file(tmp_path / "file")
    assert found.kind == "state_dict"
    assert found.parameters == [
        {"name": key, "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
        for key, value in state.items()
    ]


def test_a_checkpoint_shows_its_tensors_and_names_the_rest(tmp_path):
    module = torch.nn.Linear(3, 1)
    module(torch.zeros(1, 3)).sum().backward()
    optimizer = torch.optim.Adam(module.parameters())
    optimizer.step()
    kept = {"epoch": 3, "state_dict": module.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(kept, tmp_path / "file")
    found = inspect_file(tmp_path / "file")
    assert {"name": "state_dict.weight", "dtype": "float32", "shape": [1, 3]} in found.parameters
    assert "epoch (int)" in found.facts["beside tensors"]


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (torch.nn.Linear(3, 1), r"it names torch\.nn|it calls|opcode"),
        ([torch.zeros(1)], "it holds list, expected a state_dict"),
        ({}, "it holds no tensor"),
        ({(1, 2): torch.zeros(1)}, "it has a key of type tuple"),
    ],
    ids=["module", "list", "empty", "key"],
)
def test_what_is_no_state_dict_is_refused(tmp_path, kept, message):
    torch.save(kept, tmp_path / "file")
    with pytest.raises(ModelError, match=message):
        inspect_file(tmp_path / "file")


def test_a_tensor_that_claims_more_than_it_stores_is_refused(tmp_path):
    from tests.hostile_files import state

    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02tQ"
    good = (
        b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\x00K\x02\x85K\x01\x85\x89Nt"
        + b"Rs."
    )
    assert inspected(tmp_path, state(good)).parameters == [{"name": "a", "dtype": "float32", "shape": [2]}]
    with pytest.raises(ModelError, match="claims more numbers than 'data/0' stores"):
        inspected(tmp_path, state(good.replace(b"K\x00K\x02\x85", b"K\x00K\x03\x85")))
    with pytest.raises(ModelError, match="claims more numbers than 'data/0' stores"):
        inspected(tmp_path, state(good.replace(b"K\x00K\x02\x85", b"K\x01K\x02\x85")))


def test_no_json_is_left_that_is_none(linreg, tmp_path):
    """NaN in metadata, text that is no UTF-8, and metadata without a shape were faults of linreg's."""
    files = {
        "nan": torchscript_with("extra/linreg.json", b'{"a": [NaN, -Infinity, 1e999], "inputs": [{"name": "x"}]}'),
        "bytes": torchscript_with("extra/linreg.json", b'{"a": "\xff\xfe"}'),
        "no-shape": torchscript_with("extra/linreg.json", b'{"inputs": [{"name": "x", "dtype": "f"}], "outputs": 3}'),
        "surrogate": torchscript_with("extra/linreg.json", b'{"a\\ud800": "\\ud800"}'),
        "onnx": onnx_file(NODE, metadata(b"\xffkey", b"NaN"), metadata(b"other", b"\xff\x1b[31m"), field(2, b"\xfe")),
        "onnx-names": onnx_file(
            field(1, field(4, b"\xff")) + field(5, field(8, b"\xff")) + field(11, field(1, b"\xff"))
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        ended = linreg("inspect", name, "--json")
        assert (ended.code, ended.err) == (0, "")
        found = strict_json(ended.out)
        shown = linreg("inspect", name)
        assert shown.code == 0
        assert "\x1b" not in shown.out
        if name == "nan":
            assert found["metadata"]["a"] == ["nan", "-inf", "inf"]
        if name in ("nan", "no-shape"):
            assert found["inputs"] == []
        if name == "onnx":
            assert found["metadata"] == {r"\xffkey": "nan", "other": "\\xff\x1b[31m"}
            assert found["facts"]["producer_name"] == r"\xfe"


def test_a_long_text_is_cut_and_says_so(tmp_path):
    found = inspected(tmp_path, onnx_file(field(1, field(4, b"N" * 1000)), metadata(b"k" * 1000, b"v" * 100_000)))
    assert found.operators == {"N" * 197 + "...": 1}
    assert {len(key): len(value) for key, value in found.metadata.items()} == {200: 10_000}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (
            "  def forward(self: __torch__.Net,\n    x: Tensor,\n    y: Tensor) -> Tuple[Tensor, Tensor]:\n",
            "(x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]",
        ),
        ("  def forward(self: __torch__.Net) -> Tensor:\n", "() -> Tensor"),
        ("class Other(Module):\n  def forward(self: __torch__.Other, x: Tensor) -> Tensor:\n", None),
        ("  def forward(self: __torch__.Net, x: Tensor", None),
    ],
)
def test_the_signature_is_that_of_the_class(code, wanted):
    assert signature(f"class Before(Module):\n  def forward(self: B, z: int) -> int:\n{CLASS}{code}", "Net") == wanted


def test_a_signature_is_shown_with_the_operators(tmp_path):
    code = (
        f"{CLASS}  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    return torch.relu(ops.prim.f(x))\n"
    )
    found = inspected(tmp_path, torchscript(code))
    assert (found.facts["forward"], found.operators) == ("(x: Tensor) -> Tensor", {"relu": 1, "f": 1})
