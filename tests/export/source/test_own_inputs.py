"""The user's own inputs: what files and functions give, how they describe a module's inputs, and what is refused."""

import io
import struct
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from export.source.forward import match_inputs
from export.source.given_inputs import given_inputs
from export.source.input_files import MAX_SETS, own_sets, read_inputs
from export.source.module_source import from_module
from export.source.own_inputs import inputs_of, own_inputs, with_own_inputs
from export.source.user_module import make_module, parse_input
from linreg.config import MAX_INPUT_BYTES
from linreg.errors import ExportError, LinregError


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, ids, weight):
        return self.head(self.embed(ids).sum(1) * weight)


IDS, WEIGHT = np.array([[0, 3, 9], [1, 1, 2]]), np.ones((2, 4), dtype=np.float32)
TEXTS = ["ids=int64[batch,3]<10", "weight=float32[batch,4]"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("users_nets", None)


def own(sets, texts=TEXTS, static=False):
    module = Towers().eval()
    _, entries = match_inputs(module, [parse_input(text) for text in texts])
    fixed = {axis.name: axis.least for entry in entries for axis in entry.dynamic()} if static else None
    return own_inputs(entries, sets, fixed=fixed)


def save_npz():
    np.savez("batch.npz", weight=WEIGHT, ids=IDS)


def save_positional():
    np.savez_compressed("batch.npz", IDS, WEIGHT)


def save_dict():
    torch.save({"weight": torch.from_numpy(WEIGHT), "ids": torch.from_numpy(IDS)}, "batch.pt")


def save_tuple():
    torch.save((torch.from_numpy(IDS), torch.from_numpy(WEIGHT)), "batch.pt")


def save_big_endian():
    np.savez("batch.npz", weight=np.asfortranarray(WEIGHT.astype(">f4")), ids=IDS.astype(">i8"))


@pytest.mark.parametrize("save", [save_npz, save_positional, save_dict, save_tuple, save_big_endian])
def test_every_form_of_file_gives_the_arrays_in_the_order_of_forward(folder, save):
    save()
    (path,) = folder.iterdir()
    (one,) = own(read_inputs(path.name))
    assert one.name == path.name
    for array, wanted in zip(one.arrays, (IDS, WEIGHT), strict=True):
        assert array.dtype == wanted.dtype
        assert array.dtype.isnative
        assert np.array_equal(array, wanted)


def test_a_single_array_is_an_npy_or_a_tensor():
    np.save("x.npy", WEIGHT)
    torch.save(torch.from_numpy(WEIGHT), "x.pt")
    for name in ("x.npy", "x.pt"):
        (given,) = read_inputs(name)
        assert np.array_equal(given.arrays[0], WEIGHT)
        assert [entry.text() for entry in inputs_of(nn.Linear(4, 2), [given], static=False)] == [
            "input=float32[batch,4]"
        ]


def count_rows(given):
    arrays = given.arrays if isinstance(given.arrays, tuple) else tuple(given.arrays.values())
    return len(arrays[0])


CODE = """
import numpy as np
import torch
from torch import nn
{import_}

def make_net():
    return nn.Linear(4, 2)

def several():
    yield torch.ones(2, 4)
    yield {{"input": torch.zeros(3, 4)}}
    yield (torch.ones(1, 4),)

def one():
    return torch.ones(2, 4)

def a_list():
    return [{{"input": torch.ones(2, 4)}}, {{"input": torch.ones(5, 4)}}]

def endless():
    while True:
        yield torch.ones(1, 4)

def none():
    return iter(())

def failing():
    yield torch.ones(2, 4)
    raise KeyError("no file")

def arrays():
    return np.ones((2, 4))

def needs(path):
    return torch.ones(2, 4)

{more}
"""


@pytest.fixture
def write(folder):
    def write(more="", import_=""):
        (folder / "users_nets.py").write_text(CODE.format(more=more, import_=import_))

    return write


@pytest.mark.parametrize(("name", "rows"), [("several", [2, 3, 1]), ("one", [2]), ("a_list", [2, 5])])
def test_a_function_gives_one_set_or_several(write, name, rows):
    write()
    sets = read_inputs(f"users_nets.py:{name}")
    assert [count_rows(given) for given in sets] == rows
    assert all(given.name.startswith(f"users_nets.py:{name}()") for given in sets)
    assert len({given.name for given in sets}) == len(sets)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("endless", f"gives more than {MAX_SETS} sets"),
        ("none", "gives no inputs"),
        ("failing", r"cannot give its inputs: KeyError: 'no file' \(line \d+ of users_nets.py\)"),
        ("arrays", "got ndarray, expected a torch.Tensor"),
        ("needs", r"cannot be called without arguments \(it needs path\)"),
        ("zzz", "has no 'zzz'; expected FILE.py:NAME of a function that gives inputs"),
    ],
)
def test_a_function_that_gives_no_inputs_is_refused_in_one_line(write, name, message):
    write()
    with pytest.raises(ExportError, match=message) as refused:
        read_inputs(f"users_nets.py:{name}")
    assert "\n" not in str(refused.value)


def test_make_inputs_in_the_same_file_is_used_unless_other_inputs_are_named(write):
    np.save("x.npy", WEIGHT[:1])
    write("def make_inputs():\n    return torch.ones(7, 4)\n")
    made = make_module("users_nets.py:make_net")
    assert [count_rows(given) for given in own_sets(made, ())] == [7]
    assert [count_rows(given) for given in own_sets(made, ("x.npy", "users_nets.py:one"))] == [1, 2]


def test_a_make_inputs_that_needs_arguments_is_not_ours(write):
    write("def make_inputs(path):\n    return 1\n")
    assert own_sets(make_module("users_nets.py:make_net"), ()) == []


def test_the_example_beside_a_module_is_a_set(write):
    write("def pair():\n    return make_net(), torch.ones(3, 4)\n")
    assert [count_rows(given) for given in own_sets(make_module("users_nets.py:pair"), ())] == [3]


def test_inputs_are_described_by_their_values():
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    sets = [
        *given_inputs({"ids": torch.tensor([[5, 7, 7]] * 2), "mask": mask, "kind": 1 - mask}, "one"),
        *given_inputs({"ids": torch.tensor([[3, 4, 4]]), "mask": mask[:1], "kind": mask[:1]}, "two"),
    ]
    assert [entry.text() for entry in inputs_of(Towers(), sets, static=False)] == [
        "3<=ids=int64[batch,3]<8",
        "mask=int64[batch,3] prefix",
        "kind=int64[batch,3]<2",
    ]
    fixed = inputs_of(Towers(), sets[:1], static=True)
    assert [entry.shape for entry in fixed] == [(2, 3)] * 3


def test_axes_whose_size_differs_between_sets_are_dynamic():
    sets = [
        *given_inputs({"x": torch.ones(2, 5, 7), "y": torch.ones(2, 7)}, "one"),
        *given_inputs({"x": torch.ones(3, 6, 8), "y": torch.ones(3, 8)}, "two"),
    ]
    assert [entry.shape for entry in inputs_of(Towers(), sets, static=False)] == [
        ("batch", "axis_0", "axis_1"),
        ("batch", "axis_1"),
    ]
    with pytest.raises(ExportError, match="give sets of one dtype and shape"):
        inputs_of(Towers(), sets, static=True)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"ids": IDS[:, :2], "weight": WEIGHT}, r"b: 'ids' has shape \[2, 2\], expected \['batch', 3\]"),
        ({"ids": IDS[:1], "weight": WEIGHT}, "b: 'weight' has shape .* with batch 1, as in the other inputs"),
        ({"ids": IDS.astype(np.int32), "weight": WEIGHT}, r"b: 'ids' is int32, expected int64 .*\.astype\('int64'\)"),
        ({"ids": IDS, "weight": WEIGHT.astype(np.float64)}, "b: 'weight' is float64, expected float32"),
        ({"ids": IDS + 1, "weight": WEIGHT}, "b: 'ids' holds 10, but it is described as 'ids=int64"),
        ({"ids": IDS - 1, "weight": WEIGHT}, "b: 'ids' holds -1, but"),
        ({"ids": IDS}, "b: has 'ids', expected the inputs 'ids', 'weight'"),
        ({"ids": IDS, "weights": WEIGHT}, "b: has 'ids', 'weights', expected"),
        ({"ids": IDS, "\x1b[31m": WEIGHT}, r"b: has 'ids', '\\x1b\[31m', expected"),
        ((IDS,), "b: has 1 arrays, expected the inputs 'ids', 'weight'"),
    ],
)
def test_inputs_that_differ_from_their_description_are_refused(value, message):
    tensors = value.items() if isinstance(value, dict) else value
    given = (
        {name: torch.from_numpy(array) for name, array in tensors}
        if isinstance(value, dict)
        else tuple(map(torch.from_numpy, tensors))
    )
    with pytest.raises(ExportError, match=message):
        own(given_inputs(given, "b"))


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (
            {"input": torch.ones(2, 3)},
            {"input": torch.ones(2, 3, 1)},
            r"two: 'input' is float32\[2, 3, 1\], but in one",
        ),
        ({"input": torch.ones(2, 3)}, {"input": torch.ones(2, 3).double()}, "two: 'input' is float64"),
        ({"x": torch.ones(2, 3), "y": torch.ones(2)}, {"x": torch.ones(2, 3)}, "two: has 'x', but one has 'x', 'y'"),
        ({"x": torch.ones(2, 3), "y": torch.ones(3)}, {"x": torch.ones(2, 3)}, "first axes of the tensors are 2, 3"),
        ({"y": torch.ones(2, 3)}, {"y": torch.ones(2, 3)}, "one: has 'y', but the argument of forward is 'input'"),
    ],
)
def test_sets_that_contradict_each_other_are_refused(one, two, message):
    with pytest.raises(ExportError, match=message):
        inputs_of(nn.Linear(3, 1), [*given_inputs(one, "one"), *given_inputs(two, "two")], static=False)


def test_a_module_that_fails_on_its_own_inputs_is_refused_with_their_name():
    class Positive(nn.Module):
        def forward(self, x):
            if bool((x == 77).any()):
                raise ValueError("77")
            return x * 2

    entries = [parse_input("x=float32[batch,2]")]
    source = from_module(Positive(), entries)
    with pytest.raises(ExportError, match="the module does not run on seventy: ValueError: 77"):
        with_own_inputs(source, own_inputs(entries, given_inputs(torch.full((2, 2), 77.0), "seventy")))


def test_a_static_module_takes_inputs_of_its_shape_only():
    texts = ["ids=int64[2,3]<10", "weight=float32[2,4]"]
    given = (torch.from_numpy(IDS), torch.from_numpy(WEIGHT))
    assert len(own(given_inputs(given, "b"), texts, static=True)) == 1
    with pytest.raises(ExportError, match=r"'ids' has shape \[1, 3\], expected \[2, 3\]"):
        own(given_inputs(tuple(tensor[:1] for tensor in given), "b"), texts, static=True)


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def claiming(shape):
    """An array of four numbers whose header claims another shape."""
    good = npy_bytes(np.ones(4, dtype=np.float32))
    return good.replace(b"(4,), }".ljust(40), f"{shape}, }}".encode().ljust(40))


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


def bomb():
    """An archive whose directory claims a member beyond the limit."""
    data = zipped(x__npy=b"\0" * 1000)
    size = struct.pack("<I", 1000)
    return data.replace(size, struct.pack("<I", MAX_INPUT_BYTES + 1))


def pickled(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy_bytes(np.array([{}], dtype=object)), "the array holds Python objects, which are not read"),
        (zipped(x__npy=npy_bytes(np.array([{}], dtype=object))), "'x' holds Python objects"),
        (npy_bytes(np.array(["a"])), "is str32, expected one of float16"),
        (npy_bytes(np.ones(3, dtype=complex)), "is complex128, expected one of"),
        (npy_bytes(np.ones(3, dtype=[("a", "f4")])), "expected one of float16"),
        (npy_bytes(np.float32(3)), r"has shape \[\], expected the batch as its first axis"),
        (npy_bytes(np.ones((0, 3))), r"has shape \[0, 3\], expected the batch as its first axis and no axis of size 0"),
        (claiming("(9,)"), "does not have the size that its header says"),
        (claiming("(99999999999999,)"), "does not have the size that its header says"),
        (claiming("(-4,)"), "does not have the size that its header says"),
        (npy_bytes(np.ones(4))[:-1], "does not have the size that its header says"),
        (npy_bytes(np.ones(4))[:20], "is not an array of NumPy"),
        (b"\x93NUMPY\x07\x00" + bytes(100), "is not an array of NumPy"),
        (bomb(), f"unpacks to more than the limit of {MAX_INPUT_BYTES} bytes"),
        (zipped(x__npy=npy_bytes(np.ones(4)))[:-30], "is not an .npz file, or is damaged"),
        (zipped(x__txt=b"text"), "holds 'x.txt', expected one .npy for each argument"),
        (zipped(), "is not a file of inputs, expected an .npz or .npy file"),
        (b"x,y\n1,2\n", "is not a file of inputs, expected an .npz or .npy file of NumPy, a .pt file of torch.save"),
        (b"", "is not a file of inputs"),
        (pickled({"x": nn.Linear(2, 2)}), r"holds 'torch.nn.modules.linear.Linear'; save a dict of tensors"),
        (pickled({"x": 3}), "'x' is int, expected a torch.Tensor"),
        (pickled({3: torch.ones(2)}), "has a key of type int, expected the names of arguments"),
        (pickled({}), "holds no tensor"),
        (pickled([]), "got nothing, expected a torch.Tensor"),
        (pickled(torch.ones(1).expand(10**6)), "a tensor claims more numbers than it stores"),
        (pickled(torch.eye(3).to_sparse()), "a tensor is not a dense tensor"),
        (pickled(torch.ones(2, 2).bfloat16()), "tensor 0 is bfloat16, expected one of"),
        (pickled(torch.ones(2))[:-30], "cut off"),
    ],
)
def test_hostile_and_damaged_files_are_refused_in_one_line(folder, data, message):
    (folder / "batch\x1b[31m.npz").write_bytes(data)
    with pytest.raises(LinregError, match=message) as refused:
        read_inputs("batch\x1b[31m.npz")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_file_that_does_not_exist_is_named():
    with pytest.raises(LinregError, match=r"absent\.npz"):
        read_inputs("absent.npz")
