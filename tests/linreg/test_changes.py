"""Staged changes: all or nothing, finished by the next command, one writer at a time."""

import errno
import json
import os
import subprocess
import sys

import pytest

from linreg.changes import changing, interrupted, settle
from linreg.errors import LinregError, ModelError
from linreg.files import sha256
from linreg.journal import STAGE_FOLDER
from linreg.lock import LOCK_FILE, locked
from tests.conftest import contents


def write(folder, **files):
    with changing(folder, command="a test") as changes:
        for name, data in files.items():
            changes.stage(name.replace("_", "."), data)
        changes.commit()


def test_files_appear_together_and_nothing_else_stays(tmp_path):
    folder = tmp_path / "new" / "bundle"
    with changing(folder, command="a test") as changes:
        changes.stage("model.pth", b"weights")
        changes.stage("test_data_set_0/input_0.pb", b"vector")
        assert changes.staged_bytes("model.pth") == b"weights"
        assert not (folder / "model.pth").exists()
        changes.commit()
    assert contents(folder) == {"model.pth": b"weights", "test_data_set_0/input_0.pb": b"vector"}


def test_what_is_not_committed_leaves_no_trace(tmp_path):
    folder = tmp_path / "new" / "bundle"
    with pytest.raises(KeyboardInterrupt), changing(folder, command="a test") as changes:
        changes.stage("model.pth", b"weights")
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()


def test_a_removal_takes_the_file_that_was_seen(tmp_path):
    write(tmp_path, model_onnx=b"old")
    (tmp_path / "test_data_set_0").mkdir()
    (tmp_path / "test_data_set_0" / "input_0.pb").write_bytes(b"x")
    with changing(tmp_path, command="a test") as changes:
        changes.remove("model.onnx")
        changes.remove("test_data_set_0/input_0.pb")
        changes.remove("card.json")
        (tmp_path / "model.onnx").write_bytes(b"somebody's, since then")
        changes.commit()
    assert contents(tmp_path) == {"model.onnx": b"somebody's, since then"}
    assert not (tmp_path / "test_data_set_0").exists()


@pytest.mark.parametrize("name", ["notes.txt", "../model.pth", ".ssh", "bench.json.bak", "a/model.pth"])
def test_only_files_of_a_bundle_are_touched(tmp_path, name):
    with changing(tmp_path, command="a test") as changes:
        for ask in (lambda: changes.stage(name, b""), lambda: changes.remove(name)):
            with pytest.raises(LinregError, match="is not a file of a bundle"):
                ask()


def test_a_link_is_neither_replaced_nor_removed(tmp_path):
    (tmp_path / "outside").write_bytes(b"mine")
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.pth").symlink_to("../outside")
    with changing(folder, command="a test") as changes:
        for ask in (lambda: changes.stage("model.pth", b""), lambda: changes.remove("model.pth")):
            with pytest.raises(ModelError, match="is a symbolic link"):
                ask()
    assert (tmp_path / "outside").read_bytes() == b"mine"


def journal(folder, write=None, remove=None):
    """What a command leaves that is killed while it applies its changes."""
    stage = folder / STAGE_FOLDER
    stage.mkdir(parents=True)
    entries = {}
    for place, (name, data) in enumerate((write or {}).items()):
        (stage / str(place)).write_bytes(data)
        entries[name] = {"file": str(place), "sha256": sha256(data)}
    value = {"schema_version": 1, "write": entries, "remove": remove or {}}
    (stage / "journal.json").write_text(json.dumps(value))


def test_the_next_command_finishes_what_was_decided(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"old")
    (tmp_path / "model.pt2").write_bytes(b"old")
    journal(tmp_path, {"model.onnx": b"new"}, {"model.pt2": sha256(b"old")})
    assert interrupted(tmp_path)
    settle(tmp_path)
    assert contents(tmp_path) == {"model.onnx": b"new"}
    settle(tmp_path)


def test_staged_files_without_a_journal_are_thrown_away(tmp_path):
    (tmp_path / STAGE_FOLDER).mkdir()
    (tmp_path / STAGE_FOLDER / "1").write_bytes(b"half")
    write(tmp_path, model_pth=b"weights")
    assert contents(tmp_path) == {"model.pth": b"weights"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda value: value["write"].update({"../x": value["write"]["model.onnx"]}), "is not the journal"),
        (lambda value: value["write"]["model.onnx"].update(file="../outside"), "is not the journal"),
        (lambda value: value["write"]["model.onnx"].update(sha256="x"), "is not the journal"),
        (lambda value: value["write"]["model.onnx"].update(sha256="0" * 64), "differs from its journal"),
        (
            lambda value: value["write"]["model.onnx"].update(file="7"),
            r"is gone; remove .*\.linreg-staged, and run it again",
        ),
        (lambda value: value.pop("remove"), "is not the journal"),
        (lambda value: value["remove"].update({"notes.txt": "0" * 64}), "is not the journal"),
    ],
    ids=["outside", "file", "sha256", "bytes", "missing", "key", "unknown"],
)
def test_a_hostile_journal_does_nothing(tmp_path, damage, message):
    """It may come with a downloaded bundle."""
    (tmp_path / "notes.txt").write_bytes(b"mine")
    (tmp_path / "outside").write_bytes(b"mine")
    folder = tmp_path / "bundle"
    journal(folder, {"model.onnx": b"new"})
    path = folder / STAGE_FOLDER / "journal.json"
    value = json.loads(path.read_text())
    damage(value)
    path.write_text(json.dumps(value))
    with pytest.raises(ModelError, match=message):
        settle(folder)
    assert (tmp_path / "notes.txt").read_bytes() == (tmp_path / "outside").read_bytes() == b"mine"
    assert not (folder / "model.onnx").exists()


def outside(path, tmp_path):
    (tmp_path / "elsewhere").write_text('{"write": {}, "remove": {}}')
    path.symlink_to(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (outside, "is a symbolic link"),
        (lambda path, _: os.mkfifo(path), "is not a regular file"),
        (lambda path, _: path.mkdir(), "cannot be read"),
        (lambda path, _: path.write_text("{"), "is not valid JSON"),
    ],
    ids=["link", "pipe", "folder", "half"],
)
def test_a_journal_that_is_no_file_of_json_is_not_followed(tmp_path, make, message):
    bundle = tmp_path / "bundle"
    (bundle / STAGE_FOLDER).mkdir(parents=True)
    make(bundle / STAGE_FOLDER / "journal.json", tmp_path)
    with pytest.raises(ModelError, match=rf"{message}.*; remove .*{STAGE_FOLDER}, and run it again"):
        settle(bundle)
    assert (bundle / STAGE_FOLDER).exists()


def test_a_stage_that_is_a_file_is_refused(tmp_path):
    (tmp_path / STAGE_FOLDER).write_bytes(b"mine")
    with (
        pytest.raises(ModelError, match="is a file, expected a folder; remove it"),
        changing(tmp_path, command="a test"),
    ):
        pytest.fail("it was entered")
    assert (tmp_path / STAGE_FOLDER).read_bytes() == b"mine"


def test_a_stage_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious").write_bytes(b"mine")
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / STAGE_FOLDER).symlink_to("../victim")
    with pytest.raises(ModelError, match="is a symbolic link"), changing(folder, command="a test"):
        pytest.fail("it was entered")
    assert (tmp_path / "victim" / "precious").read_bytes() == b"mine"


HOLD = """
import sys
from pathlib import Path
from linreg.lock import locked
with locked(Path(sys.argv[1]), command="linreg bench"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path` until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()
        process.wait(timeout=60)


def test_a_second_writer_is_told_who_the_first_is(tmp_path, holder):
    message = rf"linreg bench \(process {holder.pid}\) is writing there; wait for it to end, or add --wait"
    with pytest.raises(LinregError, match=message), changing(tmp_path, command="a test"):
        pytest.fail("it was entered")


def test_a_second_writer_may_wait(tmp_path, holder):
    told = []

    def on_wait(name):
        told.append(name)
        holder.stdin.close()

    with locked(tmp_path, command="a test", wait=True, on_wait=on_wait):
        assert (tmp_path / LOCK_FILE).read_text() == f"a test (process {os.getpid()})\n"
    assert told == [f"linreg bench (process {holder.pid})"]
    assert not (tmp_path / LOCK_FILE).exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait(timeout=60)
    assert (tmp_path / LOCK_FILE).exists()
    write(tmp_path, model_pth=b"weights")
    assert contents(tmp_path) == {"model.pth": b"weights"}


def test_a_full_disk_is_told_of_the_file_that_was_wanted(tmp_path):
    def write_to_full_disk(_stream):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        pytest.raises(LinregError, match=rf"^{tmp_path}/model\.onnx: cannot be written: No space left on device"),
        changing(tmp_path, command="a test") as changes,
    ):
        changes.stage("model.onnx", write_to_full_disk)


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / LOCK_FILE).symlink_to("mine")
    with pytest.raises(LinregError, match="cannot be written"), changing(tmp_path, command="a test"):
        pytest.fail("it was entered")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_lock_file_that_is_a_second_name_of_a_file_is_not_written(tmp_path):
    """tar makes such names when it unpacks a bundle, of any file below the folder where it is run."""
    (tmp_path / "mine").write_bytes(b"mine")
    os.link(tmp_path / "mine", tmp_path / LOCK_FILE)
    with (
        pytest.raises(LinregError, match=r"is a pipe or a hard link, expected a regular file; remove it"),
        changing(tmp_path, command="a test"),
    ):
        pytest.fail("it was entered")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_lock_file_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / LOCK_FILE)
    with (
        pytest.raises(LinregError, match=r"is a pipe or a hard link, expected a regular file; remove it"),
        changing(tmp_path, command="a test"),
    ):
        pytest.fail("it was entered")


def test_a_file_that_is_taken_back_leaves_the_old_one_to_be_removed(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"of other weights")
    with changing(tmp_path, command="a test") as changes:
        changes.remove("model.pt2")
        changes.stage("model.pt2", b"new")
        changes.drop("model.pt2")
        assert changes.removes("model.pt2")
        changes.commit()
    assert contents(tmp_path) == {}
