"""Writing that survives kills, full disks and failing calls; reading and JSON that refuse what is not what it says."""

import errno
import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linreg import files
from linreg.errors import LinregError, ModelError
from linreg.files import ensure_folder, read_bytes, read_json, remove, sha256, staged, write_atomic, write_json

STALE = files.STALE_AFTER_S + 60
NOBODY = 65534


def child(script, *arguments, **options):
    """A Python process that runs `script`; SIGKILL and resource limits are for it alone."""
    script = "import os, sys\nfrom pathlib import Path\nfrom linreg.files import *\n" + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output(script, *arguments, **options):
    process = child(script, *arguments, **options)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out.strip()


def refused(match, action, *arguments, kind=LinregError, **options):
    with pytest.raises(kind, match=match) as caught:
        action(*arguments, **options)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def age(path):
    then = time.time() - STALE
    os.utime(path, (then, then), follow_symlinks=False)


@pytest.fixture
def open_folder():
    """A folder that another user can reach: tmp_path lies in one that only its owner can."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


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


# ---- kills, failing calls, full disks --------------------------------------------------------------------------------

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


CALLS = ["os.fsync", "os.fchmod", "os.replace", "os.fdopen", "os.open", "os.umask", "tempfile.mkstemp"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
@pytest.mark.parametrize("target", ["old", "none"])
def test_a_failure_of_any_call_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch, error, target):
    path = tmp_path / "file"
    for call in CALLS:
        module, name = {"os": os, "tempfile": tempfile}[call.split(".")[0]], call.split(".")[1]
        real = getattr(module, name)
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
                patch.setattr(module, name, fail)
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


# ---- rights ----------------------------------------------------------------------------------------------------------

AS_NOBODY = f"""
    if os.geteuid() == 0:
        os.setgid({NOBODY}); os.setuid({NOBODY})
    folder = Path(sys.argv[1])
    for action in (lambda: write_atomic(folder / "file", b"new"), lambda: ensure_folder(folder / "a" / "b")):
        try: action()
        except LinregError as error: print(error)
        else: print("done")
"""


def owned(folder, mode):
    (folder / "file").write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(folder / "file", NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
    folder.chmod(mode)


@pytest.mark.parametrize("mode", [0o555, 0o444], ids=oct)
def test_a_folder_without_rights(open_folder, mode):
    owned(open_folder, mode)
    told = output(AS_NOBODY, open_folder).splitlines()
    assert told[0] == f"{open_folder / 'file'}: cannot be written: Permission denied; choose another folder with -o"
    assert told[1].startswith(f"{open_folder / 'a' / 'b'}: cannot be written")
    open_folder.chmod(0o755)
    assert names(open_folder) == ["file"]
    assert (open_folder / "file").read_bytes() == b"old"


def test_a_folder_that_can_be_written_but_not_listed(open_folder):
    owned(open_folder, 0o333)
    assert output(AS_NOBODY, open_folder).splitlines() == ["done", "done"]
    open_folder.chmod(0o755)
    assert names(open_folder) == ["file"]
    assert (open_folder / "file").read_bytes() == b"new"


def test_what_others_left_in_a_shared_folder_is_no_error(open_folder):
    open_folder.chmod(0o1777)
    (open_folder / ".theirs.linreg-tmp").write_bytes(b"")
    age(open_folder / ".theirs.linreg-tmp")
    assert output(AS_NOBODY, open_folder).splitlines()[0] == "done"
    assert (open_folder / "file").read_bytes() == b"new"


def test_a_file_without_the_right_to_read(open_folder):
    owned(open_folder, 0o755)
    (open_folder / "file").chmod(0)
    script = (
        AS_NOBODY.split("    for ", maxsplit=1)[0]
        + """
    try: read_bytes(folder / "file", limit=9)
    except LinregError as error: print(error)
    """
    )
    assert output(script, open_folder) == f"{open_folder / 'file'}: cannot be read: Permission denied"


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


def test_remove(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    remove(tmp_path / "link")
    assert names(tmp_path) == ["file"]
    remove(tmp_path / "file")
    remove(tmp_path / "file")
    assert names(tmp_path) == []
    (tmp_path / "folder").mkdir()
    refused("folder: cannot be removed: Is a directory", remove, tmp_path / "folder")


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_sha256():
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert sha256(bytes(1000)) == hashlib.sha256(bytes(1000)).hexdigest()


def test_reading_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"
    refused("file: has 5 bytes, expected at most 4", read_bytes, path, limit=4)
    refused("has [0-9]+ bytes, expected at most 10", read_bytes, Path("/proc/self/status"), limit=10)
    assert read_bytes(Path("/proc/self/status"), limit=10**6).startswith(b"Name:")


def test_reading_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"")
    refused("is a folder, expected a file", read_bytes, tmp_path, limit=9)
    for path in (tmp_path / "fifo", Path("/dev/null")):
        refused("is not a regular file; copy its contents", read_bytes, path, limit=9)
    refused("cannot be read: Too many levels", read_bytes, tmp_path / "loop", limit=9)
    refused("cannot be read: Not a directory", read_bytes, tmp_path / "file" / "below", limit=9)
    for name in ("none", "dangling", "none/below"):
        refused("no such file; check the name", read_bytes, tmp_path / name, limit=9)


# ---- JSON ------------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), VALUES, max_size=4))
def test_json_comes_back(tmp_path, value):
    write_json(tmp_path / "file.json", value)
    again = read_json(tmp_path / "file.json")
    assert again == value
    assert repr(again) == repr(value)
    assert json.loads((tmp_path / "file.json").read_bytes()) == value


def test_json_is_for_people_too(tmp_path):
    write_json(tmp_path / "file.json", {"é": [0.1, None]})
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == '{\n "é": [\n  0.1,\n  null\n ]\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_json_that_has_no_nan_is_not_written(tmp_path, value):
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": [value]})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["file.json"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(b"", "is not valid JSON: Expecting value", id="empty"),
        pytest.param(b'{"a": 1', "is not valid JSON", id="cut"),
        pytest.param(b'{"a": 1} x', "is not valid JSON: Extra data", id="trailing"),
        pytest.param(b"{'a': 1}", "is not valid JSON", id="quotes"),
        pytest.param(b'{"a": NaN}', "is not valid JSON: NaN is not JSON", id="nan"),
        pytest.param(b'{"a": Infinity}', "Infinity is not JSON", id="inf"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not JSON", id="minus-inf"),
        pytest.param(b'{"a": 1e999}', "1e999 is beyond float64", id="beyond"),
        pytest.param(b'{"a": [-1.5e400]}', "-1.5e400 is beyond float64", id="beyond-inner"),
        pytest.param(b'{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice", id="twice"),
        pytest.param(b'[{"b": {"a\\n": 1, "a\\u000a": 2}}]', r"the key 'a\\n' stands twice", id="twice-inner"),
        pytest.param(b'{"a": "\xff"}', "is not valid JSON: .*0xff in position 7", id="not-utf-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "is not valid JSON", id="utf-16"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "is not valid JSON: Unexpected UTF-8 BOM", id="bom"),
        pytest.param(b"[" * 100_000, "is not valid JSON: maximum recursion", id="deep"),
        pytest.param(
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not valid JSON: maximum recursion", id="deep-objects"
        ),
        pytest.param(b'{"a": ' + b"1" * 5000 + b"}", "is not valid JSON: Exceeds the limit", id="digits"),
        pytest.param(b'{"a": "\x00"}', "is not valid JSON: Invalid control character", id="nul"),
        pytest.param(b"[1]", "holds a JSON list, expected an object", id="list"),
        pytest.param(b"null", "holds a JSON NoneType, expected an object", id="null"),
        pytest.param(b'"a"', "holds a JSON str, expected an object", id="text"),
        pytest.param(b"1.5", "holds a JSON float, expected an object", id="number"),
    ],
)
def test_json_that_is_refused(tmp_path, content, match):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    refused(f"^{path}: .*{match}", read_json, path, kind=ModelError)


def test_json_that_cannot_be_read(tmp_path, monkeypatch):
    refused("no such file", read_json, tmp_path / "none.json")
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 8)
    (tmp_path / "file.json").write_bytes(b'{"a": 10}')
    refused("has 9 bytes, expected at most 8", read_json, tmp_path / "file.json")


def test_many_keys_with_one_twice(tmp_path):
    """Naming the key must not take the square of the keys: this would run for hours."""
    path = tmp_path / "file.json"
    keys = [f'"{place}": 0' for place in range(300_000)]
    path.write_text("{" + ", ".join([*keys, keys[-1]]) + "}")
    refused("the key '299999' stands twice", read_json, path, kind=ModelError)


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
