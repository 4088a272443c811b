"""torch's archives in one form only, so that what is checked is what torch loads."""

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import torch
from torch import nn

from export.inspection.inspect import inspect_file
from export.runners.torch import pt2_runner, torchscript_runner
from linreg.archive import CENTRAL, END, MAX_UNPACKED_BYTES, read_archive
from linreg.checkpoint import load
from linreg.errors import ModelError
from linreg.state_dict import state_bytes
from linreg.state_reading import load_state

SMALL = state_bytes({"weights": torch.tensor([0.7]), "bias": torch.tensor([0.3])})


class Net(nn.Module):
    """Long enough that torch.jit.save compresses its code."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.second = nn.Linear(3, 1)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


@pytest.fixture(scope="module")
def scripted() -> bytes:
    return torch.jit.script(Net()).save_to_buffer()


@pytest.fixture(scope="module")
def exported() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Net().eval(), (torch.ones(2, 4),)), buffer)
    return buffer.getvalue()


def by_torch(data: bytes) -> dict[str, bytes]:
    """The records as torch's own reader gives them."""
    reader = torch._C.PyTorchFileReader(io.BytesIO(data))
    return {name: reader.get_record(name) for name in reader.get_all_records()}


def by_us(data: bytes) -> dict[str, bytes]:
    return {name: bytes(record) for name, record in read_archive("file", data).items()}


# ---- what torch writes -----------------------------------------------------------------------------------------------


def test_what_torch_saves_is_read_as_torch_reads_it(tmp_path, scripted, exported):
    torch.save({"a": torch.ones(100_000), "b": torch.ones(3, dtype=torch.float64)}, tmp_path / "größer.pth")
    torch.save({}, tmp_path / "empty.pth")
    files = [SMALL, scripted, exported, *(path.read_bytes() for path in tmp_path.iterdir())]
    for data in files:
        assert by_us(data) == by_torch(data)
    assert {"data.pkl", "byteorder", ".data/serialization_id", ".format_version"} <= set(by_us(SMALL))
    assert any(entry.compress_type for entry in zipfile.ZipFile(io.BytesIO(scripted)).infolist())


@pytest.mark.parametrize("alignment", [64, 4096])
def test_the_padding_before_numbers_is_of_any_length(alignment):
    torch.utils.serialization.config.save.storage_alignment = alignment
    try:
        data = state_bytes({"a": torch.ones(10_000)})
    finally:
        torch.utils.serialization.config.save.storage_alignment = 64
    assert by_us(data) == by_torch(data)


def test_an_archive_of_torch_1_6_is_read():
    """As torch 1.6 wrote it: no byteorder, no identifier, no alignment record."""
    records = {"data.pkl": by_us(SMALL)["data.pkl"], "data/0": b"\0" * 4, "data/1": b"\0" * 4, "version": b"3\n"}
    assert by_us(built(records)) == records == by_torch(built(records))


# ---- what another program would read differently ---------------------------------------------------------------------


def built(records, *, top="archive", deflated=(), shift=0, **changed) -> bytes:
    """An archive as torch writes it; `changed` are bytes, or fields of the record called `data/0`."""
    body, central = b"", b""
    for name, content in records.items():
        mine = changed if name == "data/0" else {}
        stored = mine.get("name", f"{top}/{name}").encode()
        local_name = mine.get("local_name", stored.decode()).encode()
        packed = content
        if name in deflated:
            stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = stream.compress(content) + stream.flush() + mine.get("after_stream", b"")
        method, flags = (8 if name in deflated else 0), mine.get("flags", 0x808)
        crc = mine.get("crc", zlib.crc32(content))
        body += mine.get("gap", b"")
        offset = len(body) + shift + mine.get("offset", 0)
        extra = mine.get("extra", b"FB" + struct.pack("<H", 6) + b"Z" * 6)
        sums = mine.get("local_sums", (0, 0, 0))
        local_flags = mine.get("local_flags", flags)
        body += struct.pack("<4s5H3I2H", b"PK\3\4", 0, local_flags, method, 0, 0, *sums, len(local_name), len(extra))
        body += local_name + extra + packed
        if flags & 8:
            body += struct.pack("<4s3I", b"PK\7\x08", *mine.get("descriptor", (crc, len(packed), len(content))))
        more, comment = mine.get("central_extra", b""), mine.get("entry_comment", b"")
        sizes = len(packed), mine.get("size", len(content))
        lengths = len(stored), len(more), len(comment)
        line = b"PK\1\2", 0, 0, flags, method, 0, 0, crc, *sizes, *lengths, 0, 0, mine.get("attributes", 0), offset
        central += CENTRAL.pack(*line) + stored + more + comment
    body += changed.get("before_directory", b"")
    start = len(body) + shift
    count = changed.get("count", len(records))
    numbers = count, count, len(central), start
    end = changed.get("before", b"") + body + central + changed.get("after_directory", b"")
    if changed.get("zip64", True):
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(end) + shift + changed.get("locator", 0), 1)
        numbers_64 = changed.get("numbers_64", numbers)
        end += struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, *numbers_64) + locator
    comment = changed.get("comment", b"")
    return end + END.pack(b"PK\5\6", 0, 0, *numbers, len(comment)) + comment + changed.get("after", b"")


RECORDS = by_us(SMALL)


@pytest.mark.parametrize("zip64", [True, False])
def test_the_builder_of_these_tests_writes_what_is_read(zip64):
    data = built(RECORDS, zip64=zip64)
    assert by_us(data) == by_torch(data) == RECORDS
    in_place = built(RECORDS, zip64=zip64, flags=0x800, local_sums=(zlib.crc32(RECORDS["data/0"]), 4, 4))
    assert by_us(in_place) == by_torch(in_place) == RECORDS


CRC = zlib.crc32(RECORDS["data/0"])
ODD = {
    "prefix": {"before": b"#!/bin/sh\n"},
    "shifted prefix": {"before": b"#" * 8, "shift": 8},
    "after": {"after": b"\0"},
    "comment": {"comment": b"hello"},
    "gap": {"gap": b"\0" * 64},
    "before directory": {"before_directory": b"\0"},
    "after directory": {"after_directory": b"\0"},
    "extra": {"extra": b"UT\x02\0ab"},
    "long padding": {"extra": b"FB\x02\0ZZZZ"},
    "other padding": {"extra": b"FB\x04\0ZZPK"},
    "central extra": {"central_extra": b"\x01\0\x08\0" + bytes(8)},
    "entry comment": {"entry_comment": b"c"},
    "attributes": {"attributes": 0x10},
    "encrypted": {"flags": 0x809},
    "local flags": {"local_flags": 0x800},
    "local name": {"local_name": "archive/data/1"},
    "local sums": {"local_sums": (CRC, 4, 5)},
    "descriptor": {"descriptor": (CRC, 5, 4)},
    "descriptor crc": {"descriptor": (CRC + 1, 4, 4)},
    "size": {"size": 3},
    "crc": {"crc": 7},
    "offset": {"offset": 1},
    "earlier offset": {"offset": -4},
    "count": {"count": 3},
    "count above": {"count": 9},
    "zip64 numbers": {"numbers_64": (1, 1, 2, 3)},
    "locator": {"locator": 1},
    "folder": {"name": "archive/data/"},
    "other folder": {"name": "other/data/0"},
    "no folder": {"name": "data"},
    "parent": {"name": "archive/../data/0"},
    "backslash": {"name": "archive\\data/0"},
    "nul": {"name": "archive/data/0\0x"},
    "repeated": {"name": "archive/data/1"},
    "repeated but for case": {"name": "archive/DATA/1"},
    "compressed": {"deflated": ("data/0",)},
}


@pytest.mark.parametrize("changed", ODD.values(), ids=ODD.keys())
def test_any_other_form_is_refused(changed):
    with pytest.raises(ModelError, match=r"^file: "):
        by_us(built(RECORDS, **changed))


def test_of_two_central_directories_none_is_believed(tmp_path):
    """torch follows the locator to the first; what stands before the locator, as zipfile reads it, is the second."""
    hidden = built({**RECORDS, "data/0": np.float32(666).tobytes()})
    shown = built({**RECORDS, "data/0": np.float32(1).tobytes()}, shift=len(hidden))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(hidden) - END.size - 20 - 56, 1)
    data = hidden + shown[: -END.size - 20] + locator + shown[-END.size :]
    (tmp_path / "net.pth").write_bytes(data)
    assert torch.load(tmp_path / "net.pth", weights_only=True)["weights"].item() == 666
    with pytest.raises(ModelError, match=r"net.pth: its archive has a zip64 record that is not where it says"):
        load(tmp_path / "net.pth")
    for runner in (torchscript_runner, pt2_runner):
        with pytest.raises(ModelError, match="zip64 record"):
            runner("model", data)
    with pytest.raises(ModelError, match="zip64 record"):
        inspect_file(tmp_path / "net.pth")


def test_torch_does_not_look_at_case():
    records = {**RECORDS, "DATA/0": b"abcd"}
    assert by_torch(built(records))["data/0"] in (b"abcd", RECORDS["data/0"])
    with pytest.raises(ModelError, match="repeated entries"):
        by_us(built(records))


# ---- compressed code -------------------------------------------------------------------------------------------------


def test_only_code_is_unpacked_and_only_so_far():
    records = {"constants.pkl": b"x", "code/a.py": b"a" * 5000, "data/0": b"1"}
    assert by_us(built(records, deflated=("code/a.py",))) == records
    bomb = {**records, "code/a.py": bytes(MAX_UNPACKED_BYTES + 1)}
    with pytest.raises(ModelError, match="its code unpacks to more than"):
        by_us(built(bomb, deflated=("code/a.py",)))
    halves = {f"code/{place}.py": bytes(MAX_UNPACKED_BYTES // 2 + 1) for place in range(2)}
    with pytest.raises(ModelError, match="its code unpacks to more than"):
        by_us(built(halves, deflated=tuple(halves)))


def test_a_stream_that_is_not_all_of_its_entry_is_refused(scripted):
    entry = next(one for one in zipfile.ZipFile(io.BytesIO(scripted)).infolist() if one.compress_type)
    name_length, extra_length = struct.unpack_from("<2H", scripted, entry.header_offset + 26)
    start = entry.header_offset + 30 + name_length + extra_length
    for place in range(start, start + entry.compress_size, 7):
        data = bytearray(scripted)
        data[place] ^= 0x10
        try:
            found = by_us(bytes(data))
        except ModelError:
            continue
        assert found == by_us(scripted), "bits beside the stream, which no reader looks at"


# ---- damage ----------------------------------------------------------------------------------------------------------


def mutants(data: bytes, count: int, seed: int):
    """Bytes changed, inserted, removed, repeated, and numbers of the headers replaced."""
    random = np.random.default_rng(seed)
    marks = [place for place in range(len(data) - 4) if data[place : place + 2] == b"PK"]
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(int(random.integers(1, 4))):
            near = int(random.choice(marks)) + int(random.integers(0, 60)) if random.random() < 0.7 else None
            place = min(near if near is not None else int(random.integers(len(changed))), len(changed) - 1)
            match int(random.integers(5)):
                case 0:
                    changed[place] ^= 1 << int(random.integers(8))
                case 1:
                    changed[place:place] = random.bytes(int(random.integers(1, 5)))
                case 2:
                    del changed[place : place + int(random.integers(1, 5))]
                case 3:
                    other = int(random.choice(marks))
                    changed[place:place] = changed[other : other + int(random.integers(1, 100))]
                case _:
                    changed[place : place + 4] = struct.pack(
                        "<I", int(random.choice([0, 1, 0xFFFF, 0xFFFFFFFF, place]))
                    )
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["state", "scripted"])
def test_what_is_accepted_is_what_torch_reads(kind, scripted):
    """Of thousands of damaged archives each is refused in our words, or read exactly as torch reads it."""
    data = SMALL if kind == "state" else scripted
    single = (data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :] for place in range(len(data)))
    refused = accepted = 0
    for mutant in (*single, *mutants(data, 4000, seed=20261126)):
        try:
            records = by_us(mutant)
        except ModelError:
            refused += 1
            continue
        accepted += 1
        assert records == by_torch(mutant)
    assert refused > 20 * accepted


def test_an_archive_cut_anywhere_is_refused(scripted):
    for length in range(0, len(scripted), 11):
        with pytest.raises(ModelError):
            by_us(scripted[:length])


def test_an_entry_of_zip64_sizes_is_refused(tmp_path):
    """A record of more than 4 GB has its sizes elsewhere; no file of at most 2 GB has one."""
    archive = zipfile.ZipFile(tmp_path / "net.pth", "w")
    with archive, archive.open("archive/data.pkl", "w", force_zip64=True) as record:
        record.write(b"x")
    with pytest.raises(ModelError, match="its archive has a local header"):
        load_state(tmp_path / "net.pth")
