"""A folder of Parquet parts is complete or not there, and never replaces what others wrote."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import LinregError
from linreg.files import sha256
from linreg.writing import parts
from linreg.writing.parts import check_folder, write_parts

MANIFEST = "_manifest.json"


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_ROWS", 6)


def batches(count, *, start=0):
    """Batches of 3 rows, whose values count."""
    numbers = (range(3 * place + start, 3 * place + start + 3) for place in range(count))
    return [pa.record_batch([pa.array(values, pa.float64())], names=["p"]) for values in numbers]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def values(folder):
    return pyarrow.parquet.read_table(folder)["p"].to_pylist()


def test_parts_are_named_by_their_place_and_listed(tmp_path):
    folder = tmp_path / "new" / "out"
    assert write_parts(folder, batches(5), force=False) == (3, True)
    assert names(folder) == [MANIFEST, "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert values(folder) == list(range(15))
    record = json.loads((folder / MANIFEST).read_text())
    files = [{"name": f"part-0000{place}.parquet", "rows": rows} for place, rows in enumerate([6, 6, 3])]
    hashed = [{**entry, "sha256": sha256((folder / entry["name"]).read_bytes())} for entry in files]
    assert record == {"schema_version": 1, "written_by": "linreg predict", "rows": 15, "files": hashed}


def test_parts_do_not_depend_on_the_batches_within_them(tmp_path):
    cut = [batch.slice(start, 1) for batch in batches(5) for start in range(3)]
    assert write_parts(tmp_path / "out", cut, force=False) == (3, True)
    rows = [
        pyarrow.parquet.read_metadata(tmp_path / "out" / f"part-0000{place}.parquet").num_rows for place in range(3)
    ]
    assert rows == [6, 6, 3]
    assert values(tmp_path / "out") == list(range(15))


def test_an_empty_table_is_a_part_without_rows(tmp_path):
    assert write_parts(tmp_path / "out", [batches(1)[0].slice(0, 0)], force=False) == (1, True)
    assert pyarrow.parquet.read_table(tmp_path / "out").schema.names == ["p"]


def test_the_same_again_changes_nothing(tmp_path):
    folder = tmp_path / "out"
    write_parts(folder, batches(5), force=False)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_parts(folder, batches(5), force=False) == (3, False)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "other", [batches(4), batches(6), batches(7), batches(5, start=1)], ids=["fewer", "longer", "more", "others"]
)
def test_other_rows_need_force_and_replace_all_parts(tmp_path, other):
    folder = tmp_path / "out"
    write_parts(folder, batches(5), force=False)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(LinregError, match="already holds other predictions; use --force"):
        write_parts(folder, other, force=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    count, written = write_parts(folder, other, force=True)
    assert written
    assert len(names(folder)) == count + 1
    assert values(folder) == [value for batch in other for value in batch["p"].to_pylist()]


def test_the_first_other_row_ends_the_comparison(tmp_path):
    write_parts(tmp_path / "out", batches(5), force=False)
    taken = []
    endless = (taken.append(place) or batches(1, start=place + 1)[0] for place in itertools.count())
    with pytest.raises(LinregError, match="other predictions"):
        write_parts(tmp_path / "out", endless, force=False)
    assert len(taken) <= 3


def test_files_of_others_need_force_and_stay(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(LinregError, match=r"out: holds mine.txt, which linreg predict did not write; .*--force"):
        write_parts(folder, batches(3), force=False)
    assert names(folder) == ["mine.txt"]
    assert write_parts(folder, batches(3), force=True) == (2, True)
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("force", [False, True])
def test_a_part_of_others_is_never_replaced(tmp_path, force):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "part-00007.parquet").write_text("mine")
    with pytest.raises(
        LinregError,
        match=r"part-00007\.parquet: is not in _manifest\.json, and would be read as a part; --force does "
        "not replace it: move it away, or choose another folder with -o",
    ):
        write_parts(folder, batches(3), force=force)
    assert (folder / "part-00007.parquet").read_text() == "mine"
    assert names(folder) == ["part-00007.parquet"]


def test_parts_without_their_manifest_need_force_and_are_replaced(tmp_path):
    folder = tmp_path / "out"
    write_parts(folder, batches(5), force=False)
    (folder / MANIFEST).unlink()
    with pytest.raises(
        LinregError, match=r"part-00000\.parquet: is not in _manifest\.json, .*; use --force to replace"
    ):
        write_parts(folder, batches(2, start=7), force=False)
    assert len(names(folder)) == 3
    assert write_parts(folder, batches(2, start=7), force=True) == (1, True)
    assert names(folder) == [MANIFEST, "part-00000.parquet"]
    assert values(folder) == [value for batch in batches(2, start=7) for value in batch["p"].to_pylist()]


def test_a_part_of_an_older_manifest_is_replaced_too(tmp_path):
    folder = tmp_path / "out"
    write_parts(folder, batches(5), force=False)
    (folder / "part-00009.parquet").write_bytes((folder / "part-00000.parquet").read_bytes())
    with pytest.raises(LinregError, match=r"part-00009\.parquet: is not in _manifest\.json"):
        write_parts(folder, batches(5), force=False)
    assert write_parts(folder, batches(5), force=True) == (3, True)
    assert values(folder) == list(range(15))


@pytest.mark.parametrize("kind", ["other Parquet", "link"])
def test_only_what_predict_wrote_itself_is_replaced_without_a_manifest(tmp_path, kind):
    folder, part = tmp_path / "out", tmp_path / "out" / "part-00000.parquet"
    if kind == "link":
        write_parts(tmp_path / "elsewhere", batches(1), force=False)
        folder.mkdir()
        part.symlink_to(tmp_path / "elsewhere" / part.name)
    else:
        folder.mkdir()
        pyarrow.parquet.write_table(pa.Table.from_batches(batches(1)), part)
    before = part.read_bytes()
    with pytest.raises(LinregError, match=r"part-00000\.parquet: .*; --force does not replace it: move it away"):
        write_parts(folder, batches(5), force=True)
    assert part.read_bytes() == before


def test_a_part_that_was_changed_is_not_replaced(tmp_path):
    folder = tmp_path / "out"
    write_parts(folder, batches(5), force=False)
    (folder / "part-00001.parquet").write_text("mine")
    with pytest.raises(LinregError, match="already holds other predictions"):
        write_parts(folder, batches(5), force=False)
    with pytest.raises(
        LinregError, match=r"part-00001\.parquet: has changed since linreg predict wrote it; move it away"
    ):
        write_parts(folder, batches(5), force=True)
    assert (folder / "part-00001.parquet").read_text() == "mine"
    (folder / "part-00001.parquet").unlink()
    assert write_parts(folder, batches(5), force=True) == (3, True)
    assert values(folder) == list(range(15))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "x",
        '{"schema_version": 1, "written_by": "spark", "files": []}',
        '{"schema_version": 1, "written_by": "linreg predict", "files": [{"name": "../x", "rows": 1, "sha256": "0"}]}',
    ],
)
def test_a_list_that_others_wrote_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    for force in (False, True):
        with pytest.raises(LinregError, match="is not a list of parts that linreg predict wrote"):
            check_folder(tmp_path, force=force)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(LinregError, match="out: is a file, expected a folder"):
        check_folder(tmp_path / "out", force=True)


def test_an_error_leaves_what_was_there(tmp_path):
    def failing():
        yield from batches(3)
        raise LinregError("row 10 is bad")

    with pytest.raises(LinregError, match="row 10"):
        write_parts(tmp_path / "out", failing(), force=False)
    assert names(tmp_path) == []
    write_parts(tmp_path / "out", batches(2), force=False)
    with pytest.raises(LinregError, match="row 10"):
        write_parts(tmp_path / "out", failing(), force=True)
    assert values(tmp_path / "out") == list(range(6))
    assert names(tmp_path / "out") == [MANIFEST, "part-00000.parquet"]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    script = """
        import os, signal, sys
        from pathlib import Path
        from tests.linreg.writing.test_parts import batches
        from linreg.writing import parts
        parts.PART_ROWS = 6
        def killed():
            yield from batches(5)
            os.kill(os.getpid(), signal.SIGKILL)
        parts.write_parts(Path(sys.argv[1]), killed(), force=False)
    """
    words = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "out")]
    assert subprocess.run(words, timeout=60).returncode == -signal.SIGKILL
    assert any(name.startswith("part-") for name in names(tmp_path / "out")) is False
    assert write_parts(tmp_path / "out", batches(3), force=False) == (2, True)
    assert names(tmp_path / "out") == [MANIFEST, "part-00000.parquet", "part-00001.parquet"]


def test_a_process_killed_while_it_renames_is_finished_by_the_next(tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    real, ends = os.replace, []
    for count in itertools.count(1):
        folder, turns = tmp_path / str(count), itertools.count(1)
        write_parts(folder, batches(2), force=False)

        def dying(*arguments, turns=turns, count=count, **options):
            if next(turns) == count:
                raise KilledError
            return real(*arguments, **options)

        with monkeypatch.context() as patched, suppress(KilledError):
            patched.setattr(os, "replace", dying)
            patched.setattr("linreg.changes.recover", lambda folder: None)
            write_parts(folder, batches(5, start=1), force=True)
            break
        check_folder(folder, force=False)
        ends.append(len(values(folder)))
        assert values(folder) in (list(range(6)), list(range(1, 16)))
        assert write_parts(folder, batches(5, start=1), force=True) == (3, True)
        assert values(folder) == list(range(1, 16))
    assert ends == [6, 15, 15, 15, 15], "before the journal, and at each of the four names"
