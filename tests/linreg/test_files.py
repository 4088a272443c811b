"""What is written stands there alone, under any name and mode; staged bytes can be checked first."""

import os
import stat
import threading
from pathlib import Path

import pytest

from linreg.errors import LinregError
from linreg.files import read_bytes, staged, write_atomic
from linreg.folders import ensure_folder
from tests.file_processes import age, names, output, refused

# ---- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"a", bytes(3_000_000)], ids=["empty", "byte", "large"])
def test_what_is_written_stands_there_alone(tmp_path, data):
    path = tmp_path / "new" / "folder" / "file"
    write_atomic(path, data)
    assert path.read_bytes() == data
    write_atomic(path, data + b"again")
    assert path.read_bytes() == data + b"again"
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "-o",
        "a\nb",
        "\U0001f427" * 63 + "abc",
        "é" * 127 + "a",
        "a" * 255,
        os.fsdecode(b"\xff\xfe"),
        ".hidden",
        "%s",
    ],
    ids=["space", "option", "newline", "emoji-255", "accents-255", "ascii-255", "not-utf-8", "hidden", "percent"],
)
def test_names_that_linux_allows(tmp_path, name):
    write_atomic(tmp_path / name, b"data")
    assert names(tmp_path) == [name]
    assert read_bytes(tmp_path / name, limit=4) == b"data"


@pytest.mark.parametrize(
    ("name", "reason"), [("a" * 256, "File name too long"), ("a\0b", "null byte")], ids=["long", "nul"]
)
def test_names_that_it_does_not(tmp_path, name, reason):
    refused(f"cannot be written: .*{reason}; choose another", write_atomic, tmp_path / name, b"data")
    refused(f"cannot be read: .*{reason}", read_bytes, tmp_path / name, limit=9)
    assert names(tmp_path) == []


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomic(Path("a/b"), b"data")
    assert (tmp_path / "a" / "b").read_bytes() == b"data"


def test_a_deleted_current_folder_is_told(tmp_path):
    script = """
        os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])
        for action in (lambda: write_atomic(Path("a"), b""), lambda: ensure_folder(Path("a"))):
            try: action()
            except LinregError as error: print(error)
    """
    told = output(script, tmp_path / "gone").splitlines()
    assert told == ["a: cannot be written: No such file or directory; choose another folder with -o"] * 2


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077], ids=oct)
def test_a_new_file_has_the_mode_that_the_umask_asks_for(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "file", b"")
    finally:
        assert os.umask(before) == mask
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o400], ids=oct)
def test_an_old_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_is_never_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/file")
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "dangling").symlink_to("real/other")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to-folder").symlink_to("real")
    for name in ("link", "chain", "dangling", "loop", "to-folder"):
        refused("is a symbolic link, which is not followed; name the file itself", write_atomic, tmp_path / name, b"x")
        assert (tmp_path / name).is_symlink()
    assert names(tmp_path / "real") == ["file"]
    assert (tmp_path / "real" / "file").read_bytes() == b"old"


def test_targets_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    before = names(tmp_path)
    for name in ("fifo", "folder", ""):
        refused("is not a regular file; choose another name", write_atomic, tmp_path / name, b"new")
    refused("cannot be written: Not a directory", write_atomic, tmp_path / "file" / "below", b"new")
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"old"


def test_what_killed_processes_left_is_swept_an_hour_later(tmp_path):
    for name in (".old.linreg-tmp", ".fresh.linreg-tmp", ".mine", "mine.linreg-tmp", ".a.tmp"):
        (tmp_path / name).write_bytes(b"")
        if name != ".fresh.linreg-tmp":
            age(tmp_path / name)
    (tmp_path / ".link.linreg-tmp").symlink_to("nowhere")
    age(tmp_path / ".link.linreg-tmp")
    (tmp_path / ".folder.linreg-tmp").mkdir()
    age(tmp_path / ".folder.linreg-tmp")
    write_atomic(tmp_path / "file", b"new")
    assert names(tmp_path) == [".a.tmp", ".folder.linreg-tmp", ".fresh.linreg-tmp", ".mine", "file", "mine.linreg-tmp"]


# ---- staged ----------------------------------------------------------------------------------------------------------


def test_staged_bytes_can_be_looked_at_before_they_count(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with staged(path, b"new") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.read_bytes() == b"new"
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "error", [LinregError("no"), OSError(5, "no"), ValueError("no"), KeyboardInterrupt()], ids=repr
)
def test_staged_bytes_that_fail_leave_no_trace(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, staged(path, b"new"):
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_ensure_folder_makes_nothing(tmp_path):
    ensure_folder(tmp_path)
    ensure_folder(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    (tmp_path / "file").write_bytes(b"")
    refused("is a file, expected a folder; choose another with -o", ensure_folder, tmp_path / "file")
    refused("cannot be written; choose another", ensure_folder, tmp_path / "file" / "below")
    (tmp_path / "loop").symlink_to("loop")
    refused("cannot be written: File name too long", ensure_folder, tmp_path / ("a" * 256) / "b")


def test_ensure_folder_on_a_read_only_file_system(tmp_path, monkeypatch):
    real = os.statvfs(tmp_path)
    read_only = os.statvfs_result([*real[:8], real.f_flag | os.ST_RDONLY, *real[9:]])
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    refused("cannot be written; choose another folder with -o", ensure_folder, tmp_path / "a")


def test_threads_write_whole_files(tmp_path):
    errors = []

    def work(letter):
        try:
            for _ in range(20):
                write_atomic(tmp_path / "file", letter * 50_000)
        except LinregError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert names(tmp_path) == ["file"]
