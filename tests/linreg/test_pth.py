"""Plain state_dicts without torch: what torch.load refuses is refused, and what is accepted has torch's numbers."""

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from linreg.errors import LinregError
from linreg.pth import pth_bytes, read_pth
from linreg.state_dict import state_bytes, state_sha256
from linreg.state_pickle import NotPlainError
from linreg.state_reading import read_state

Array = NDArray[Any]
GOOD = {"linear_layer.weight": np.array([[0.5, -2.0, 1e-45]], "f4"), "linear_layer.bias": np.array([7.0], "f4")}


def torch_loads(data: bytes) -> Any:
    """What torch makes of a file, or the exception that it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            return error


def check_against_torch(data: bytes) -> bool:
    """Check that a file that is accepted has the arrays that torch reads, bit for bit; return whether it is."""
    try:
        arrays = read_pth("file", data)
    except NotPlainError:
        return False
    loaded = torch_loads(data)
    assert isinstance(loaded, dict), loaded
    assert list(loaded) == list(arrays)
    for key, array in arrays.items():
        tensor = loaded[key].detach()
        assert str(tensor.dtype) == f"torch.{array.dtype.name}"
        assert tuple(tensor.shape) == array.shape
        assert tensor.contiguous().numpy().tobytes() == array.tobytes()
    return True


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def archive(pickled: bytes, storages: dict[str, bytes] | None = None, **records: bytes) -> bytes:
    """A file with this pickle, in the form of torch's archives."""
    storages = {"0": np.arange(6, dtype="f4").tobytes()} if storages is None else storages
    every = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n", **records}
    every |= {f"data/{key}": content for key, content in storages.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as stored:
        for name, content in every.items():
            stored.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    return buffer.getvalue()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def tensor(
    offset: int = 0,
    size: tuple[int, ...] = (6,),
    stride: tuple[int, ...] = (1,),
    *,
    count: int = 6,
    kind: str = "FloatStorage",
    key: str = "0",
    place: str = "cpu",
    rest: bytes = b"\x89ccollections\nOrderedDict\n)R",
    word: str = "storage",
    rebuild: bytes = b"ctorch._utils\n_rebuild_tensor_v2\n",
) -> bytes:
    def whole(number: int) -> bytes:
        packed = number.to_bytes(9, "little", signed=True)
        return b"\x8a\x09" + packed

    def whole_tuple(numbers: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(whole, numbers)) + b"t"

    storage = f"ctorch\n{kind}\n".encode()
    identifier = b"(" + text(word) + storage + text(key) + text(place) + whole(count) + b"tQ"
    return rebuild + b"(" + identifier + whole(offset) + whole_tuple(size) + whole_tuple(stride) + rest + b"tR"


def state(value: bytes, name: bytes = text("weights")) -> bytes:
    return b"\x80\x02}(" + name + value + b"u."


# What is read


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("keep_vars", [False, True])
def test_what_torch_saves_of_a_linear_layer_is_read(dtype: torch.dtype, keep_vars: bool) -> None:
    module = nn.Linear(5, 1, dtype=dtype)
    assert check_against_torch(saved(module.state_dict(keep_vars=keep_vars)))
    assert check_against_torch(saved(dict(module.state_dict())))
    assert check_against_torch(saved(nn.Sequential(nn.Linear(3, 1)).state_dict()))


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": torch.arange(12.0).reshape(3, 4).T},
        {"a": torch.arange(12.0)[3:7], "b": torch.arange(3.0)[::2]},
        {"a": torch.ones(1).expand(5, 7)},
        {"a": torch.zeros(0, 3), "b": torch.tensor(2.0)},
        {"a": torch.tensor([torch.nan, torch.inf, -0.0])},
    ],
    ids=["transposed", "sliced", "expanded", "empty", "special"],
)
def test_views_and_shapes_have_torchs_numbers(tensors: dict[str, torch.Tensor]) -> None:
    assert check_against_torch(saved(tensors))


def test_shared_memory_is_read() -> None:
    whole = torch.arange(6.0)
    assert check_against_torch(saved({"a": whole[:3], "b": whole[2:]}))


@pytest.mark.parametrize("content", [torch.ones(3), {}, {"a": 1}, {"a": {"b": torch.ones(2)}}, {1: torch.ones(2)}, [1]])
def test_what_is_not_a_plain_state_dict_is_left_to_torch(content: Any) -> None:
    assert not check_against_torch(saved(content))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int64, torch.bool, torch.complex64])
def test_other_dtypes_are_left_to_torch(dtype: torch.dtype) -> None:
    assert not check_against_torch(saved({"a": torch.ones(3).to(dtype)}))


# What is refused


class Harmful:
    """Runs a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


@pytest.mark.parametrize(
    "harmful",
    [Harmful(os.mkdir, "made"), Harmful(eval, "1"), Harmful(OrderedDict, [("a", 1)]), Harmful(bytearray, 5), {1, 2}],
)
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_is_called(harmful: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps({"weights": harmful}, protocol)
    assert not check_against_torch(archive(pickled))
    assert not list(tmp_path.iterdir())


ODD = {
    "offset below 0": tensor(-1, (1,)),
    "size below 0": tensor(0, (-1,)),
    "stride below 0": tensor(5, (2,), (-1,)),
    "beyond the end": tensor(0, (7,)),
    "offset beyond the end": tensor(6, (1,)),
    "offset far beyond the end of nothing": tensor(7, (0,)),
    "stride beyond the end": tensor(0, (2,), (6,)),
    "product beyond 64 bits": tensor(0, (2**32, 2**32), (0, 0)),
    "size beyond 64 bits": tensor(0, (2**64,), (0,)),
    "strides of other length": tensor(0, (2, 3), (1,)),
    "33 axes": tensor(0, (1,) * 33, (1,) * 33),
    "count above the record": tensor(0, (7,), count=7),
    "count below the record": tensor(0, (5,), count=5),
    "count below 0": tensor(0, (1,), count=-6),
    "another dtype": tensor(0, (3,), kind="DoubleStorage"),
    "a dtype that is not known": tensor(kind="CharStorage"),
    "untyped": tensor(kind="UntypedStorage"),
    "no such record": tensor(key="1"),
    "a record above": tensor(key="../data/0"),
    "on a GPU": tensor(place="cuda:0"),
    "on meta": tensor(place="meta"),
    "another identifier": tensor(word="module"),
    "hooks of another kind": tensor(rest=b"\x89}"),
    "gradients of another kind": tensor(rest=b"K\x01ccollections\nOrderedDict\n)R"),
    "another rebuilding": tensor(rebuild=b"ctorch._utils\n_rebuild_sparse_tensor\n"),
    "a list": b"]",
    "a number": b"K\x01",
    "a global": b"ctorch\nFloatStorage\n",
    "a call of a storage": b"ctorch\nFloatStorage\n)R",
    "os.system": b"cos\nsystem\n" + text("true") + b"\x85R",
    "builtins.eval": b"cbuiltins\neval\n" + text("1") + b"\x85R",
    "a new object": b"ccollections\nOrderedDict\n)\x81",
    "built": tensor() + b"}" + text("a") + b"K\x01sb",
    "a stack that is empty": b"0000",
    "memory that is empty": b"h\x09",
    "an instruction of protocol 4": b"\x8c\x01a",
}


@pytest.mark.parametrize("what", ODD)
def test_a_hostile_pickle_is_refused(what: str) -> None:
    assert not check_against_torch(archive(state(ODD[what])))


def test_the_pickles_above_differ_from_a_good_one_in_one_place_only() -> None:
    assert check_against_torch(archive(state(tensor())))
    assert check_against_torch(archive(state(tensor(1, (2, 2), (2, 1)))))
    assert check_against_torch(archive(b"\x80\x02ccollections\nOrderedDict\n)R(" + text("a") + tensor() + b"u."))


@pytest.mark.parametrize(
    "data",
    [
        archive(state(tensor()), version=b"99\n"),
        archive(state(tensor()), byteorder=b"big"),
        archive(state(tensor()), **{"constants.pkl": b"\x80\x02)."}),
        archive(state(tensor()), **{".storage_alignment": b"64\0"}),
        archive(state(tensor()), **{".storage_alignment": b""}),
        archive(state(tensor())[:-1]),
        archive(state(tensor()) + b"."),
        archive(b""),
        archive(b"\x80\x02."),
        archive(b"\x80\x02}}."),
        archive(b"\x80\x02(}."),
        archive(state(tensor(), name=b"K\x01")),
        b"",
        b"PK\x03\x04",
    ],
)
def test_a_hostile_archive_is_refused(data: bytes) -> None:
    assert not check_against_torch(data)


def test_a_padding_that_is_cut_off_is_refused() -> None:
    data = bytearray(pth_bytes(GOOD))
    data[28] = 2  # the length of the first extra field
    assert not check_against_torch(bytes(data))


def test_a_storage_has_one_dtype() -> None:
    both = tensor(count=6) + text("bias") + tensor(0, (3,), count=3, kind="DoubleStorage")
    assert not check_against_torch(archive(state(both)))


def test_expanded_views_have_the_limit_of_todays_reader() -> None:
    assert check_against_torch(saved({"a": torch.ones(1).expand(2**10, 2**10)}))
    large = saved({"a": torch.ones(1).expand(2**14, 2**14)})
    assert not check_against_torch(large)
    with pytest.raises(LinregError, match="claims more numbers than it stores"):
        read_state("file", large)


def test_overlapping_views_have_that_limit_too() -> None:
    """A few numbers claim to be many without any stride of 0."""
    for view in (
        torch.ones(2**15).as_strided((2**14, 2**14), (1, 1)),
        torch.ones(2**15).as_strided((2**14, 2**13), (1, 2)),
    ):
        assert not check_against_torch(saved({"a": view}))


FILES = [saved(nn.Linear(3, 1).state_dict()), pth_bytes(GOOD), archive(state(tensor(1, (2, 2), (2, 1))))]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_changed_file_is_refused_or_read_as_torch_reads_it(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    check_against_torch(bytes(content))


PIECES = [
    b"}", b")", b"(", b"t", b"\x85", b"\x86", b"\x87", b"u", b"s", b"R", b"Q", b"b", b"q\x00", b"h\x00", b"K\x01",
    b"\x88", b"\x89", b"ccollections\nOrderedDict\n", b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n", text("storage"), text("0"), text("cpu"), text("weights"), tensor(),
    text("_metadata"),
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_changed_pickle_is_refused_or_read_as_torch_reads_it(data: st.DataObject) -> None:
    """Unlike a changed file, it has the right checksums."""
    pickled = state(tensor())
    if data.draw(st.booleans()):
        pickled = b"\x80\x02" + b"".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=25))) + b"."
    else:
        start = data.draw(st.integers(0, len(pickled)))
        end = data.draw(st.integers(start, min(len(pickled), start + 12)))
        pickled = pickled[:start] + data.draw(st.sampled_from([*PIECES, b""])) + pickled[end:]
    check_against_torch(archive(pickled))


# What is written


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("features", [1, 3, 300, 70_000])
@pytest.mark.parametrize("bias", [True, False])
def test_torch_reads_what_is_written_also_from_a_map(tmp_path: Path, dtype: str, features: int, bias: bool) -> None:
    weight = np.random.default_rng(0).normal(size=(1, features)).astype(dtype)
    arrays = {"linear_layer.weight": weight} | ({"linear_layer.bias": np.array([0.1], dtype)} if bias else {})
    path = tmp_path / "model.pth"
    path.write_bytes(pth_bytes(arrays))
    assert check_against_torch(path.read_bytes())
    for mapped in (False, True):
        loaded = torch.load(path, mmap=mapped, weights_only=True)
        assert list(loaded) == list(arrays)
        for key, array in arrays.items():
            assert loaded[key].numpy().tobytes() == array.tobytes()
            assert not mapped or loaded[key].data_ptr() % 64 == 0
    again = read_state("model.pth", path.read_bytes())
    assert state_sha256(again) == state_sha256(arrays)
    assert state_sha256(read_state("torch.pth", state_bytes(again))) == state_sha256(arrays)


def test_the_bytes_depend_on_the_arrays_alone() -> None:
    other = {key: np.asfortranarray(array.astype(">f4")) for key, array in GOOD.items()}
    assert pth_bytes(other) == pth_bytes(GOOD)
    assert state_sha256(other) == state_sha256(GOOD)
