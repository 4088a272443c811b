"""Compressed CSV files, whole and damaged, and Ctrl-C during a long read, in processes of their own."""

import bz2
import contextlib
import gzip
import json
import signal
import subprocess
import time

import pyarrow as pa
import pytest

from tests.cli.test_process import LINREG

TEXT = "x,y\n" + "".join(f"{row},{row * row % 101}\n" for row in range(60_000))


def framed(codec: str, text: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(text)
    return sink.getvalue().to_pybytes()


PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda text: framed("zstd", text),
    "lz4": lambda text: framed("lz4", text),
}


def run(folder, *words, stdin=b""):
    return subprocess.run([*LINREG, *words], cwd=folder, input=stdin, capture_output=True, check=False)


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_csv_is_read_from_a_file_and_a_pipe(tmp_path, suffix):
    data = PACK[suffix](TEXT.encode())
    (tmp_path / "t").write_bytes(data)
    (tmp_path / "plain.csv").write_text(TEXT)
    words = ["--target", "y", "--json"]
    plain = json.loads(run(tmp_path, "train", "plain.csv", *words, "-o", "a").stdout)
    for place, stdin in (("t", b""), ("-", data)):
        ended = run(tmp_path, "train", place, *words, "-o", "b", stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["state_sha256"] == plain["state_sha256"]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_stream_is_one_clear_line(tmp_path, suffix, damage):
    data = bytearray(PACK[suffix](TEXT.encode()))
    middle = len(data) // 2
    if damage == "cut":
        data = data[:middle]
    else:
        data[middle : middle + 64] = bytes(64)
    (tmp_path / "t").write_bytes(data)
    ended = run(tmp_path, "train", "t", "--target", "y", "--features", "x", "-o", "b")
    assert (ended.returncode, ended.stdout) == (1, b"")
    errors = [line for line in ended.stderr.decode().splitlines() if not line.startswith("t: ")]
    assert len(errors) == 1, errors
    assert errors[0].startswith("error: t: ")
    assert "unexpected" not in errors[0]
    assert not (tmp_path / "b" / "model.pth").exists()


@pytest.mark.parametrize("suffix", ["csv", "bz2"])
def test_ctrl_c_during_a_long_read_ends_it(tmp_path, suffix):
    process = subprocess.Popen(
        [*LINREG, "train", "-", "--target", "y", "-o", "b"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    pack = bz2.BZ2Compressor() if suffix == "bz2" else None
    rows = TEXT.partition("\n")[2].encode() * 20
    text = b"x,y\n" + rows
    process.stdin.write(pack.compress(text) if pack else text)
    process.stdin.flush()
    if suffix == "csv":
        assert process.stderr.readline().startswith(b"-: 'y' from 'x'")
    else:
        time.sleep(2)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert process.returncode == 130 or process.returncode == -signal.SIGINT
    assert process.stdout.read() == b""
    assert b"Traceback" not in process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.close()
    assert not (tmp_path / "b" / "model.pth").exists()
