"""Kills, failing calls and full disks leave a whole file, the old or the new."""

import errno
import os
import random
import signal
import stat
import time

import pytest

from linreg.errors import LinregError
from linreg.files import write_atomic
from tests.file_processes import age, child, names, output

OVERWRITE = """
    path, size = Path(sys.argv[1]), int(sys.argv[2])
    for turn in range(int(sys.argv[3])):
        write_atomic(path, bytes([65 + turn % 26]) * size)
        print(turn, flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path, size, generator, seen = tmp_path / "file", 4_000_000, random.Random(1), set()
    path.write_bytes(b"0" * size)
    for _ in range(15):
        with child(OVERWRITE, path, size, 10**9) as process:
            for turn in range(generator.randrange(1, 6)):
                assert process.stdout.readline() == f"{turn}\n"
            time.sleep(generator.uniform(0, 0.02))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        data = path.read_bytes()
        assert len(data) == size
        assert len(set(data)) == 1
        seen.add(data[:1])
    assert len(seen) > 1
    left = [name for name in names(tmp_path) if name != "file"]
    assert all(name.endswith(".linreg-tmp") for name in left)
    for name in left:
        age(tmp_path / name)
    write_atomic(path, b"new")
    assert names(tmp_path) == ["file"]


def test_writers_and_a_reader_at_once(tmp_path):
    path, size = tmp_path / "file", 300_000
    path.write_bytes(b"0" * size)
    writers = [child(OVERWRITE, path, size, 60) for _ in range(3)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        data = path.read_bytes()
        assert len(data) == size
        assert len(set(data)) == 1
        seen += 1
    assert [writer.communicate()[1] for writer in writers] == [""] * 3
    assert [writer.returncode for writer in writers] == [0] * 3
    assert seen > 3
    assert names(tmp_path) == ["file"]


CALLS = ["os.fsync", "os.fchmod", "os.replace", "os.fdopen", "os.open", "os.umask"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
@pytest.mark.parametrize("target", ["old", "none"])
def test_a_failure_of_any_call_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch, error, target):
    path = tmp_path / "file"
    for call in CALLS:
        name = call.removeprefix("os.")
        real = getattr(os, name)
        for failing in range(1, 20):
            path.unlink(missing_ok=True)
            if target == "old":
                path.write_bytes(b"old")
            turns = iter(range(1, 100))

            def fail(*arguments, _real=real, _turns=turns, _failing=failing, **options):
                if next(_turns) == _failing:
                    raise error
                return _real(*arguments, **options)

            raised = None
            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                try:
                    write_atomic(path, b"new")
                except (LinregError, KeyboardInterrupt) as caught:
                    raised = caught
            data = path.read_bytes() if path.exists() else None
            assert names(tmp_path) == ([] if data is None else ["file"]), (call, failing)
            if isinstance(raised, LinregError):
                assert "No space left on device; choose another folder with -o" in str(raised)
                assert data == (b"old" if target == "old" else None), (call, failing)
            elif raised is None:
                assert data == b"new", (call, failing)
            if next(turns) <= failing:  # fewer calls than that: all have failed once
                break
        else:
            pytest.fail("never came to an end")
        assert failing > 1 or (call, target) == ("os.umask", "old"), f"{call} is never called"


def test_ctrl_c_as_a_file_comes_into_being_leaves_no_temporary(tmp_path, monkeypatch):
    real = os.open

    def interrupted(path, flags, *arguments, **options):
        descriptor = real(path, flags, *arguments, **options)
        if flags & os.O_CREAT:
            os.close(descriptor)
            raise KeyboardInterrupt
        return descriptor

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["os.fsync", "os.fchmod", "os.replace"])
def test_a_crash_at_any_call_leaves_a_whole_file(tmp_path, call):
    path = tmp_path / "file"
    script = """
        real, turns = eval(sys.argv[2]), iter(range(1, 100))
        def crash(*arguments):
            if next(turns) == int(sys.argv[3]):
                os._exit(9)
            return real(*arguments)
        exec(sys.argv[2] + " = crash")
        write_atomic(Path(sys.argv[1]), b"new")
    """
    crashes = 0
    for failing in (1, 2, 3):
        path.write_bytes(b"old")
        with child(script, path, call, failing) as process:
            process.wait(timeout=60)
        crashes += process.returncode == 9
        renamed = process.returncode == 0 or (call, failing) == ("os.fsync", 2)
        assert path.read_bytes() == (b"new" if renamed else b"old")
    assert crashes == (2 if call == "os.fsync" else 1)


def test_the_bytes_are_synced_before_they_are_renamed(tmp_path, monkeypatch):
    order = []
    real = {"fsync": os.fsync, "replace": os.replace}

    def fsync(descriptor):
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.fstat(descriptor).st_size)
        real["fsync"](descriptor)

    def replace(*arguments):
        order.append("rename")
        real["replace"](*arguments)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomic(tmp_path / "file", b"twelve bytes")
    assert order == [12, "rename", "folder"]


@pytest.mark.parametrize("limit", [0, 1, 4096, 99_999], ids=str)
def test_a_full_disk_keeps_the_old_file(tmp_path, limit):
    """RLIMIT_FSIZE stands for the disk: a write beyond it fails in the kernel, after as many bytes as fit."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
        try: write_atomic(Path(sys.argv[1]), bytes(100_000))
        except LinregError as error: print(error)
    """
    told = output(script, path, limit)
    assert told == f"{path}: cannot be written: File too large; choose another folder with -o"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]
    assert output(script, path, 100_000) == ""
    assert path.read_bytes() == bytes(100_000)
