"""Damaged archives, and archives of something else, are refused."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from linreg.checkpoint import load
from linreg.errors import ModelError
from linreg.state_reading import load_state
from tests.checkpoints import SMALL, refused, v1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x80",
        b"\x80\x02.",
        b"PK",
        b"\0" * 1000,
        b"<html></html>",
        b"version https://git-lfs",
        b"PK\5\6",
    ],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(data)
    assert "is not a state_dict of torch.save" in refused(path)


def test_the_legacy_format_is_refused_without_reading_it(tmp_path: Path) -> None:
    torch.save(v1(), tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    message = refused(tmp_path / "net.pth")
    assert "is not a state_dict of torch.save (torch 1.6 or newer)" in message
    lines = message.partition("convert it: ")[2].partition(" (sha256")[0]
    exec(lines.replace("'weights.pth'", repr(str(tmp_path / "weights.pth"))), {})
    assert load(tmp_path / "weights.pth").model.weights.item() == 1.0


def test_cut_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    for length in range(len(SMALL)):
        path.write_bytes(SMALL[:length])
        with pytest.raises(ModelError):
            load_state(path)
    path.write_bytes(SMALL)
    assert load_state(path)["weights"].item() == np.float32(0.7)


def test_no_bit_flip_gives_other_numbers(tmp_path: Path) -> None:
    """Of every byte one bit, and of the bytes that are the numbers all."""
    path = tmp_path / "net.pth"
    numbers = {
        place + offset
        for value in (0.7, 0.3)
        for place in [SMALL.index(np.float32(value).tobytes())]
        for offset in range(4)
    }
    random = np.random.default_rng(0).integers(0, 8, size=len(SMALL)).tolist()
    flips = [(place, random[place]) for place in range(len(SMALL))]
    flips += [(place, bit) for place in numbers for bit in range(8)]
    wanted = load_state_of(path, SMALL)
    accepted = 0
    for place, bit in flips:
        data = bytearray(SMALL)
        data[place] ^= 1 << bit
        try:
            state = load_state_of(path, bytes(data))
        except ModelError:
            continue
        accepted += 1
        assert place not in numbers
        assert state == wanted, f"bit {bit} of byte {place}"
    assert accepted < len(flips) / 2


def load_state_of(path: Path, data: bytes) -> dict[str, tuple[bytes, torch.dtype]]:
    path.write_bytes(data)
    return {key: (value.numpy().tobytes(), value.dtype) for key, value in load(path).model.state_dict().items()}


def repacked(
    data: bytes,
    *,
    compression: int = zipfile.ZIP_STORED,
    change: Callable[[str, bytes], bytes | None] = lambda _name, content: content,
) -> bytes:
    """The archive written again by Python's zipfile."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return buffer.getvalue()


def test_a_wrong_crc(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    data = SMALL.replace(np.float32(0.7).tobytes(), np.float32(0.8).tobytes())
    assert data != SMALL
    path.write_bytes(data)
    assert torch.load(path, weights_only=True)["weights"].item() == np.float32(0.8)  # torch does not look
    assert "is damaged: the checksum of 'archive/data/0' is wrong; restore it from a copy" in refused(path)


def test_compressed_entries(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL))
    assert load(path).model is not None
    path.write_bytes(repacked(SMALL, compression=zipfile.ZIP_DEFLATED))
    assert "compressed or repeated entries, which torch.save never writes" in refused(path)


def test_a_compression_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    bomb = repacked(
        SMALL,
        compression=zipfile.ZIP_DEFLATED,
        change=lambda name, content: content + bytes(2**28) if name.endswith("data.pkl") else content,
    )
    assert len(bomb) < 2**20
    path.write_bytes(bomb)
    assert "compressed or repeated entries" in refused(path)


def test_repeated_names(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    buffer = io.BytesIO(repacked(SMALL))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("archive/data/0", np.float32(9).tobytes())
    path.write_bytes(buffer.getvalue())
    assert "compressed or repeated entries" in refused(path)


@pytest.mark.parametrize("missing", ["data.pkl", "data/0", "version"])
def test_a_missing_entry(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: None if name.endswith(missing) else content))
    assert "is not a plain state_dict" in refused(path)


@pytest.mark.parametrize("length", [0, 3, 8])
def test_a_record_that_is_too_short_or_too_long(tmp_path: Path, length: int) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: bytes(length) if "/data/0" in name else content))
    assert "is not a plain state_dict" in refused(path)


def make_onnx_model(path: Path) -> Path:
    from onnx import TensorProto, helper, save_model

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [value], [helper.make_empty_tensor_value_info("y")]
    )
    save_model(helper.make_model(graph), path)
    return path


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weights=np.ones(1), bias=np.ones(1))
    refused(tmp_path / "net.npz")
    with zipfile.ZipFile(tmp_path / "text.pth", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "text.pth")
    onnx = make_onnx_model(tmp_path / "net.onnx")
    assert "is not a state_dict of torch.save" in refused(onnx)


@pytest.mark.parametrize(
    "pickled", [b"\x80\x02]q\0.", b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".", b"\x80\x02u.", b"."]
)
def test_odd_pickles(tmp_path: Path, pickled: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: pickled if name.endswith("data.pkl") else content))
    refused(path)
