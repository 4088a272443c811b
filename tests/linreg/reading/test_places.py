"""Tables of several files: folders, patterns, URIs and pipes."""

import bz2
import io
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.held import held
from linreg.reading.stream import open_stream
from linreg.reading.tables import read_table
from tests.table_files import TWO, bits, parquet_bytes, write

VALUES = np.arange(2.0 * (2 * BLOCK_ROWS + 10)).reshape(-1, 2)


def part(values, kind):
    table = pa.table({"x": values[:, 0], "y": values[:, 1]})
    if kind == "parquet":
        return parquet_bytes(table, row_group_size=30_000)
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in values.tolist())
    return bz2.compress(text.encode()) if kind == "csv.bz2" else text.encode()


@pytest.fixture(params=["parquet", "csv", "csv.bz2"])
def folder(request, tmp_path):
    """Parts whose rows end anywhere, one of them empty; their order is that of their names."""
    ends = [0, 5, 5, 70_001, len(VALUES)]
    folder = tmp_path / "parts"
    folder.mkdir()
    for place in (3, 1, 0, 2):
        write(folder / f"part-{place}.{request.param}", part(VALUES[ends[place] : ends[place + 1]], request.param))
    for ignored in ("_SUCCESS", ".part-0.crc"):
        write(folder / ignored, b"")
    return folder


@pytest.mark.parametrize("form", ["folder", "pattern", "uri of a folder", "uri of a pattern"])
def test_the_files_of_a_table_follow_each_other_by_name(folder, form):
    place = {
        "folder": folder,
        "pattern": f"{folder}/part-*",
        "uri of a folder": folder.as_uri(),
        "uri of a pattern": f"{folder.as_uri()}/part-[0-9].*",
    }[form]
    stream = open_stream(place, features=("x",), target="y")
    for start in (BLOCK_ROWS, 0, 2 * BLOCK_ROWS):
        blocks = list(stream.blocks(start))
        assert [block.start for block in blocks] == list(range(start, len(VALUES), BLOCK_ROWS))
        assert bits(np.concatenate([block.values for block in blocks])) == bits(VALUES[start:])
    assert stream.rows == len(VALUES)


def test_one_file_by_its_uri(tmp_path):
    path = write(tmp_path / "table.csv", TWO)
    assert (
        read_table(path.as_uri(), features=None, target="y").sha256
        == read_table(path, features=None, target="y").sha256
    )
    with pytest.raises(DataError, match=r"file://.*/none.csv: no such file"):
        read_table(f"{tmp_path.as_uri()}/none.csv", features=None, target="y")


@pytest.mark.parametrize("name", ["a b.csv", "100%.csv", "é日本.csv", "a#b.csv", "{1}|<2>.csv", "a%20b.csv"])
def test_a_name_in_a_uri_needs_no_encoding(tmp_path, name):
    write(tmp_path / name.replace("%20", " "), TWO)
    write(tmp_path / "a", b"x,y\n0,0\n")
    for place in (name, name.replace("csv", "[c]sv")):
        table = read_table(f"file://{tmp_path}/{place}", features=None, target="y")
        assert table.features.tolist() == [[1.0], [2.0]]


def test_a_name_in_a_message_is_encoded_where_a_uri_needs_it(tmp_path):
    write(tmp_path / "a%20b?#*é.csv", b"x,y\nword,2\n")
    named = f"file://{tmp_path}/a%2520b%3F%23%2Aé.csv"
    for place in (tmp_path.as_uri(), named):
        with pytest.raises(DataError, match=f"^{re.escape(named)}: column 'x': row 1 is 'word'"):
            read_table(place, features=("x",), target="y")


def test_a_name_that_is_not_utf_8_has_no_uri(tmp_path):
    write(tmp_path / "a\udcff.csv", TWO)
    for place in (f"file://{tmp_path}/a\udcff.csv", f"file://{tmp_path}/*.csv", (tmp_path / "a\udcff.csv").as_uri()):
        with pytest.raises(DataError, match="a name in it is not UTF-8, as pyarrow expects; give its path instead"):
            read_table(place, features=None, target="y")
    assert len(read_table(tmp_path / "a\udcff.csv", features=None, target="y").features) == 2


def test_a_row_is_counted_within_its_file(tmp_path):
    write(tmp_path / "a.csv", TWO)
    write(tmp_path / "b.csv", TWO + b"word,1\n")
    with pytest.raises(DataError, match=r"b\.csv: column 'x': row 3 is 'word', not a number"):
        read_table(tmp_path, features=("x",), target="y")


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ("x,z\n1,2\n", "b.csv: its columns differ from those of .*a.csv: column 2 is 'z', expected 'y'; give every"),
        ("x\n1\n", "b.csv: its columns differ from those of .*a.csv: column 2 is none, expected 'y'"),
        ("x,y,z\n1,2,3\n", "b.csv: its columns differ from those of .*a.csv: column 3 is 'z', expected none"),
    ],
)
def test_a_part_with_other_columns_is_named(tmp_path, other, match):
    write(tmp_path / "a.csv", TWO)
    write(tmp_path / "b.csv", other)
    with pytest.raises(DataError, match=match):
        read_table(tmp_path, features=("x",), target="y")


def test_folders_that_are_no_table(tmp_path):
    with pytest.raises(DataError, match="is a folder without files"):
        read_table(tmp_path, features=None, target="y")
    (tmp_path / "year=2020").mkdir()
    with pytest.raises(DataError, match=r"has the folder 'year=2020' in it, expected files; name them with a pattern"):
        read_table(tmp_path, features=None, target="y")
    with pytest.raises(DataError, match="no file matches this pattern"):
        read_table(f"{tmp_path}/*.csv", features=None, target="y")


def test_a_pattern_of_a_uri_reaches_into_folders(tmp_path):
    for name in ("k=1/a.csv", "k=2/a.csv", "k=2/b.csv", "_temporary/a.csv", "deep/er/a.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, TWO)
    rows = len(read_table(tmp_path / "k=1/a.csv", features=None, target="y").features)
    for pattern, files in (("k=?/a.csv", 2), ("*/*.csv", 3), ("**/a.csv", 3), ("k=2/*", 2)):
        for table in (f"{tmp_path}/{pattern}", f"{tmp_path.as_uri()}/{pattern}"):
            assert len(read_table(table, features=None, target="y").features) == files * rows, table
    for table in (tmp_path, tmp_path.as_uri()):
        with pytest.raises(DataError, match=r"has the folder 'deep' in it, expected files; .* pattern: '") as caught:
            read_table(table, features=None, target="y")
        pattern = str(caught.value).rpartition("pattern: ")[2].strip("'")
        assert len(read_table(pattern, features=None, target="y").features) == 4 * rows
    write(tmp_path / "k=2/c.csv", b"x,z\n1,2\n")
    with pytest.raises(DataError, match=r"^file:///[^ ]*/k=2/c.csv: its columns differ"):
        read_table(f"{tmp_path.as_uri()}/k=*/*", features=None, target="y")


def test_a_scheme_that_cannot_be_read_is_refused():
    with pytest.raises(DataError, match="its scheme is unknown, expected s3, gs, abfs, hdfs or file; fetch it to a"):
        read_table("https://localhost/t.csv", features=None, target="y")


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("gs://b/t.csv", "gs://b/t.csv?retry_limit_seconds=60"),
        ("gs://b/t.csv?scheme=http", "gs://b/t.csv?scheme=http&retry_limit_seconds=60"),
        ("gs://b/t.csv?retry_limit_seconds=5", "gs://b/t.csv?retry_limit_seconds=5"),
        ("s3://b/*.csv?region=x", "s3://b?region=x"),
    ],
)
def test_a_store_that_does_not_answer_is_given_up(monkeypatch, uri, asked):
    seen = []

    def from_uri(text):
        seen.append(text)
        raise OSError("no answer")

    monkeypatch.setattr(pyarrow.fs, "FileSystem", SimpleNamespace(from_uri=from_uri))
    with pytest.raises(DataError, match=f"{re.escape(uri)}: cannot be read: no answer"):
        read_table(uri, features=None, target="y")
    assert seen == [asked]


@pytest.mark.parametrize(
    ("stdin", "got"),
    [(None, "closed"), (SimpleNamespace(isatty=lambda: True), "a terminal")],
    ids=["closed", "terminal"],
)
def test_stdin_that_is_no_pipe_is_told_at_once(monkeypatch, stdin, got):
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(DataError, match=f"-: stdin is {got}, expected a CSV from a pipe or a file, as in: linreg"):
        read_table("-", features=None, target="y")


PROGRAM = """
from linreg.reading.stream import open_stream
from linreg.errors import DataError
try:
    stream = open_stream("-", features=None, target="y")
    print(stream.feature_names, stream.size_bytes, sum(len(block.values) for block in stream.blocks()))
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("pack", [bytes, bz2.compress], ids=["plain", "bzip2"])
def test_a_csv_from_a_pipe_is_read_to_its_end(pack):
    rows = 2_000_000
    text = pack(b"x,y\n" + b"12.25,2\n" * rows)
    found = subprocess.run([sys.executable, "-c", PROGRAM], input=text, capture_output=True, check=True)
    assert found.stdout.decode() == f"('x',) None {rows}\n"


def test_parquet_from_a_pipe_is_refused():
    text = parquet_bytes(pa.table({"x": [1], "y": [2]}))
    found = subprocess.run([sys.executable, "-c", PROGRAM], input=text, capture_output=True, check=True)
    assert found.stdout.decode() == (
        "-: is Parquet, whose footer comes last, and cannot be read from a pipe; save it to a file\n"
    )


def test_a_pipe_that_is_held_can_be_read_often(monkeypatch):
    text = b"x,y\n" + b"1.5,2\n" * 3_000_000
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False))
    stream = open_stream("-", features=("x",), target="y")
    assert not stream.repeatable
    kept = held(stream, 10**9)
    for _ in range(2):
        assert sum(len(block.values) for block in kept.blocks()) == 3_000_000
    with pytest.raises(DataError, match="a pipe can be read only once"):
        list(stream.blocks())


@pytest.mark.parametrize(
    "uri", ["s3://name:hunter2@bucket/t.csv", "s3://bucket/t.csv?access_key=name&secret_key=hunter2&region=x"]
)
def test_a_uri_with_a_password_is_refused_without_showing_it(uri):
    with pytest.raises(DataError, match="AWS_SECRET_ACCESS_KEY") as refused:
        open_stream(uri, features=("x",), target=None)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "LICENSE"])
def test_a_file_that_is_no_table_is_named(tmp_path, name):
    (tmp_path / "data.csv").write_text("x,y\n1,2\n2,4\n")
    (tmp_path / name).write_text("# About the data\nCollected in 2026.\n")
    with pytest.raises(DataError, match=f"{name}: is not a table with the columns of the files beside it; move it"):
        read_table(tmp_path, features=None, target="y")
