"""Folders and files without the rights that writing needs."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.file_processes import NOBODY, age, names, output


@pytest.fixture
def open_folder():
    """A folder that another user can reach: tmp_path lies in one that only its owner can."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


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
