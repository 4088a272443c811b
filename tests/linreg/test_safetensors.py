"""safetensors, read by hand: what the format's own package writes is read, all else is refused."""

import json
import struct

import numpy as np
import pytest
import torch
from torch import nn

from export.inspection.inspect import inspect_file
from linreg.checkpoint import load
from linreg.errors import ModelError
from linreg.safetensors import read_safetensors
from linreg.state_loading import load_into
from linreg.state_reading import load_state

NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32"}
NAMES |= {"int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL"}


def framed(header: object, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def written(state: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """As the package writes it: the widest dtypes first, the header padded with spaces to a multiple of eight."""
    header, numbers = ({} if metadata is None else {"__metadata__": metadata}), b""
    for key, value in sorted(state.items(), key=lambda pair: (-pair[1].element_size(), pair[0])):
        content = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        place = [len(numbers), len(numbers) + len(content)]
        dtype = NAMES[str(value.dtype).removeprefix("torch.")]
        header[key] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": place}
        numbers += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return framed(text + b" " * (-len(text) % 8), numbers)


def test_every_dtype_and_shape_is_read_bit_for_bit():
    random = np.random.default_rng(0)
    state = {
        name: torch.from_numpy(random.integers(0, 2 if name == "bool" else 255, 48, dtype=np.uint8))
        .view(getattr(torch, name))
        .reshape(2, -1)
        for name in NAMES
    }
    state |= {"scalar": torch.tensor(1.5), "empty": torch.empty(0, 3), "one": torch.tensor([True])}
    found = read_safetensors("file", written(state, {"format": "pt"}))
    assert set(found) == set(state)
    for key, value in state.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape)
        assert found[key].reshape(-1).view(torch.uint8).tolist() == value.reshape(-1).view(torch.uint8).tolist()


def test_a_module_takes_its_weights_from_it(tmp_path):
    wanted, module = nn.Linear(3, 2), nn.Linear(3, 2)
    (tmp_path / "model.safetensors").write_bytes(written(wanted.state_dict(), {"format": "pt"}))
    state = load_state(tmp_path / "model.safetensors")
    assert load_into(module, state) == ()
    assert torch.equal(module.weight, wanted.weight)
    assert inspect_file(tmp_path / "model.safetensors").kind == "state_dict"


def test_a_model_of_ours_is_read_from_it(tmp_path):
    (tmp_path / "line.safetensors").write_bytes(written({"weights": torch.ones(1), "bias": torch.zeros(1)}))
    assert load(tmp_path / "line.safetensors").model.weights.item() == 1.0


def test_a_tied_parameter_is_there_once(tmp_path):
    """safetensors.torch.save_model leaves the second name out."""
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    module[1].weight = module[0].weight
    (tmp_path / "tied.safetensors").write_bytes(written({"0.weight": torch.eye(2)}, {"1.weight": "0.weight"}))
    load_into(module, load_state(tmp_path / "tied.safetensors"))
    assert torch.equal(module[1].weight, torch.eye(2))


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


FOUR = bytes(4)
BAD = {
    "cut header": struct.pack("<Q", 100) + b'{"a":',
    "huge header": struct.pack("<Q", 2**31) + b"{}",
    "no JSON": framed(b"{hello}"),
    "no UTF-8": framed(b'{"\xff": 1}'),
    "deep": framed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "twice": framed(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": {}}', FOUR),
    "NaN": framed(b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', FOUR),
    "fraction": framed(b'{"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}', FOUR),
    "hole before": framed({"a": entry(4, 8, [1])}, bytes(8)),
    "hole between": framed({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, bytes(12)),
    "overlap": framed({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, bytes(12)),
    "same place": framed({"a": entry(0, 4, [1]), "b": entry(0, 4, [1])}, FOUR),
    "rest": framed({"a": entry(0, 4, [1])}, bytes(5)),
    "nothing but rest": framed({}, FOUR),
    "cut numbers": framed({"a": entry(0, 8, [2])}, FOUR),
    "other size": framed({"a": entry(0, 4, [2])}, FOUR),
    "backwards": framed({"a": entry(4, 0, [1])}, FOUR),
    "negative": framed({"a": entry(0, 4, [-1])}, FOUR),
    "bool for size": framed({"a": entry(0, 4, [True])}, FOUR),
    "huge size": framed({"a": entry(0, 0, [0, 2**62, 2**62])}),
    "many axes": framed({"a": entry(0, 4, [1] * 1000)}, FOUR),
    "many digits": framed(b'{"a": {"dtype": "F32", "shape": [' + b"9" * 10_000 + b'], "data_offsets": [0, 4]}}', FOUR),
    "dtype": framed({"a": entry(0, 4, [1], "F4")}, FOUR),
    "no dtype": framed({"a": entry(0, 4, [1], ["F32"])}, FOUR),  # type: ignore
    "more keys": framed({"a": {**entry(0, 4, [1]), "more": 1}}, FOUR),
    "no dictionary": framed({"a": 1}),
    "bool of 2": framed({"a": entry(0, 1, [1], "BOOL")}, b"\2"),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_the_package_never_writes_is_refused(tmp_path, data):
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"model.safetensors: is (no|a) ((damaged|truncated) )?safetensors file"):
        load_state(tmp_path / "model.safetensors")


def test_damage_is_refused_or_changes_values_only():
    """The format has no checksum: what is read all the same has a place for every byte."""
    data = written({"a": torch.ones(3), "b": torch.ones(2, 2, dtype=torch.float64)})
    random = np.random.default_rng(20261126)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << int(random.integers(8))
        try:
            found = read_safetensors("file", bytes(changed))
        except ModelError:
            continue
        assert sum(value.numel() * value.element_size() for value in found.values()) == 3 * 4 + 4 * 8
