"""Which tables are read, which are refused, and that a damaged or foreign column that nobody chose does no harm."""

import csv
import gzip
import hashlib
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.place import place_of
from linreg.reading.tables import read_table
from tests.conftest import PENGUINS
from tests.table_files import TWO, parquet, parquet_bytes, read, refused

# ---- what is read ----------------------------------------------------------------------------------------------------


def test_penguins_as_the_csv_module_reads_them():
    names = ("flipper_length_mm", "bill_length_mm")
    table = read_table(PENGUINS, features=names, target="body_mass_g")
    with PENGUINS.open(newline="") as stream:
        records = [[record[name] for name in (*names, "body_mass_g")] for record in csv.DictReader(stream)]
    kept = np.array([[float(cell) for cell in record] for record in records if "NA" not in record])
    assert np.array_equal(table.features, kept[:, :2])
    assert np.array_equal(table.target, kept[:, 2])
    assert table.complete.tolist() == ["NA" not in record for record in records]
    assert table.feature_names == names
    assert table.target_name == "body_mass_g"
    assert table.notes == ("2 of 344 rows have no value in a used column and are left out",)
    assert table.sha256 == hashlib.sha256(PENGUINS.read_bytes()).hexdigest()
    assert table.features.flags.c_contiguous
    assert table.features.dtype == table.target.dtype == np.float64


def test_penguins_all_columns():
    table = read_table(PENGUINS, features=None, target="body_mass_g")
    assert table.feature_names == ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "year")
    assert {column.name: column.reason for column in table.left_out} == {
        "species": "row 1 is 'Adelie', not a number",
        "island": "row 1 is 'Torgersen', not a number",
        "sex": "row 1 is 'male', not a number",
    }


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TWO, id="plain"),
        pytest.param(TWO[:-1], id="no-last-newline"),
        pytest.param(TWO.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(TWO.replace(b"\n", b"\r"), id="cr"),
        pytest.param(b"x,y\r\n1,2\n2,3\r\n", id="mixed-line-ends"),
        pytest.param(b"\xef\xbb\xbf" + TWO, id="bom"),
        pytest.param(b'\xef\xbb\xbf"x","y"\r\n"1","2"\r\n"2","3"\r\n', id="bom-quoted"),
        pytest.param(b" x ,\ty\n 1,2\t\n2 , 3\n", id="spaces"),
        pytest.param(b"\n\nx,y\n1,2\n\n\n2,3\n\n", id="empty-lines"),
        pytest.param(gzip.compress(TWO), id="gzip"),
        pytest.param(gzip.compress(TWO[:7]) + gzip.compress(TWO[7:]), id="gzip-concatenated"),
        pytest.param(gzip.compress(TWO) + bytes(512), id="gzip-padded"),
        pytest.param(gzip.compress(TWO[:9]) + gzip.compress(b"") + gzip.compress(TWO[9:]), id="gzip-empty-member"),
        pytest.param(parquet_bytes(pa.table({"x": [1, 2], "y": [2.0, 3.0]})), id="parquet"),
        pytest.param(gzip.compress(parquet_bytes(pa.table({"x": [1, 2], "y": [2.0, 3.0]}))), id="parquet-in-gzip"),
        pytest.param(parquet_bytes(pa.table({" x": [1, 2], "y ": [2.0, 3.0]})), id="parquet-spaces"),
    ],
)
def test_same_table_in_other_clothes(tmp_path, content):
    table = read(tmp_path, content)
    assert table.feature_names == ("x",)
    assert table.target_name == "y"
    assert table.features.tolist() == [[1.0], [2.0]]
    assert table.target.tolist() == [2.0, 3.0]
    assert table.complete.tolist() == [True, True]
    assert table.left_out == table.notes == ()
    assert table.sha256 == hashlib.sha256(content).hexdigest()


def test_columns_come_in_the_order_asked_for(tmp_path):
    content = "c,y,a,b\n1,2,3,4\n5,6,7,8\n"
    table = read(tmp_path, content, features=("b", "c"))
    assert table.feature_names == ("b", "c")
    assert table.features.tolist() == [[4.0, 1.0], [8.0, 5.0]]
    assert [(column.name, column.reason) for column in table.left_out] == [("a", "not among the features")]
    assert read(tmp_path, content).feature_names == ("c", "a", "b")
    assert read(tmp_path, content, target=None).feature_names == ("c", "y", "a", "b")


def test_features_without_a_target(tmp_path):
    table = read(tmp_path, "x\n1\nNA\n3\n", target=None)
    assert table.target is None
    assert table.target_name is None
    assert table.features.tolist() == [[1.0], [3.0]]
    assert table.complete.tolist() == [True, False, True]


def test_one_row_is_a_table(tmp_path):
    assert read(tmp_path, "x,y\n1,2\n").features.shape == (1, 1)


def test_quoted_newlines_and_quotes(tmp_path):
    table = read(tmp_path, 'x,"a ""note"", long",y\r\n1,"one\r\ntwo",2\r\n3,"say ""hi""",4\r\n5,6" tall,6\r\n')
    assert table.features.tolist() == [[1.0], [3.0], [5.0]]
    assert table.left_out[0].name == 'a "note", long'


@pytest.mark.parametrize("asked", ["caf\u00e9", "cafe\u0301", " caf\u00e9 "], ids=["nfc", "nfd", "spaces"])
@pytest.mark.parametrize("written", ["caf\u00e9", "cafe\u0301"], ids=["file-nfc", "file-nfd"])
@pytest.mark.parametrize("as_target", [True, False], ids=["target", "feature"])
def test_names_are_compared_as_nfc(tmp_path, asked, written, as_target):
    content = f"{written},温度,\U0001f427\n1,2,3\n4,5,6\n"
    if as_target:
        assert read(tmp_path, content, target=asked).target_name == "caf\u00e9"
    else:
        table = read(tmp_path, content, features=("\U0001f427", asked), target="温度")
        assert table.feature_names == ("\U0001f427", "caf\u00e9")
        assert table.features.tolist() == [[3.0, 1.0], [6.0, 4.0]]


def test_names_are_only_names(tmp_path):
    names = ["__class__", "../x", "con", "[/]", "[link=file:///etc/passwd]", "=1+1", "-x", "#", "0x1", "a;b", "y"]
    content = ",".join(names) + "\n" + ",".join(map(str, range(11))) + "\n"
    table = read(tmp_path, content)
    assert table.feature_names == tuple(names[:-1])
    assert table.features.tolist() == [[*range(10)]]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n\r\n\t", "is empty", id="blank"),
        pytest.param(b"\xef\xbb\xbf\n", "is empty .it holds nothing but a byte order mark", id="bom-line"),
        pytest.param(b"\xef\xbb\xbf", "is empty .it holds nothing but a byte order mark", id="bom-only"),
        pytest.param(b"\xef\xbb", "is empty .it holds nothing but a byte order mark", id="bom-cut"),
        pytest.param(b"\xef", "is empty .it holds nothing but a byte order mark", id="bom-cut-shorter"),
        pytest.param(gzip.compress(b"\xef\xbb"), "is empty .it holds nothing but", id="bom-cut-gzip"),
        pytest.param(b"\xef\xbbx,y\n1,2\n", "is not UTF-8 at byte 0", id="bom-cut-before-text"),
        pytest.param(gzip.compress(b""), "is empty", id="gzip-empty"),
        pytest.param(b"x,y\n", "has a header but 0 rows", id="header-only"),
        pytest.param(b"x,y", "has a header but 0 rows", id="header-no-newline"),
        pytest.param(b"1,2\n3,4\n", "first row is '1', '2', expected column names; add a header", id="no-header"),
        pytest.param(b"-1.5,NA\n3,4\n", "first row is '-1.5', 'NA', expected column names", id="no-header-missing"),
        pytest.param("x,y\n1,2\n".encode("utf-16"), "is UTF-16, expected UTF-8", id="utf-16"),
        pytest.param("x,é,y\n1,2,3\n".encode("latin-1"), "is not UTF-8 at byte 2; save it", id="latin-1"),
        pytest.param(b"x,n,y\n" + b"1,a,2\n" * 2000 + b"1,\xe9,2\n", "is not UTF-8 at byte 12008;", id="latin-1-later"),
        pytest.param(b'x,n,y\n1,"a",2\n1,\xe9,2\n', "is not UTF-8 at byte 16;", id="latin-1-quotes"),
        pytest.param(b"x,y\n1,2\x00\n", "zero byte at offset 7, expected text", id="nul"),
        pytest.param(b"x;y\n1,5;2\n", "looks separated by ';', expected commas", id="semicolon"),
        pytest.param(b"x\ty\n1\t2\n", r"looks separated by '\\t', expected commas", id="tab"),
        pytest.param(b"x|y\n1|2\n", r"looks separated by '\|', expected commas", id="bar"),
        pytest.param(b"x y\n1 2\n", "has no column 'y'; expected one of 'x y'", id="space"),
        pytest.param(b"x,x,y\n1,2,3\n", "two columns are called 'x'; rename one", id="twice"),
        pytest.param(b"x, x,y\n1,2,3\n", "two columns are called 'x'", id="twice-trimmed"),
        pytest.param("e\u0301,\u00e9,y\n1,2,3\n", "two columns are called '\u00e9'", id="twice-nfc"),
        pytest.param(b"x,,y\n1,2,3\n", "column 2 has no name", id="no-name"),
        pytest.param(b"x,y,\n1,2,\n", "column 3 has no name", id="comma-in-header"),
        pytest.param(b"x,y\n1,2,\n2,3,\n", "row 1: got 3 cells, expected 2", id="comma-in-rows"),
        pytest.param(b"x,y\n1,2\n1,2,3\n", "row 2: got 3 cells, expected 2 as in the header", id="long"),
        pytest.param(b"x,y\n1,2\n\n2,3\n4\n", "row 3: got 1 cells, expected 2 as in the header", id="short"),
        pytest.param(b'x,y,n\n1,2,"a\nb"\n1,2\n', "row 2: got 2 cells, expected 3", id="short-after-newline"),
        pytest.param(b"x,y\n1,2\n\x1b[31m,2,3\n", "row 2: got 3 cells", id="long-escape"),
        pytest.param(b'x,y,n\n1,2,a\n2,3,"b\n3,4,c\n', "row 2 cannot be read: .*check its quotes", id="open-quote"),
        pytest.param(
            b'x,y,n\n\n1,2,a\n\n2,3,"b"c\n', "row 2 cannot be read: .*check its quotes", id="text-after-quote"
        ),
        pytest.param(b'"x,y\n1,2\n3,4\n', "its header cannot be read: .*check its quotes", id="open-header"),
        pytest.param(b"x" * 200_000 + b",y\n1,2\n", "its header cannot be read: field larger", id="huge-name"),
        pytest.param(
            b"x" * 1001 + b",y\n1,2\n", "the name of column 1 has 1001 characters, at most 1000", id="long-name"
        ),
        pytest.param(b"<!DOCTYPE html><html>", "is HTML or XML, expected a CSV", id="html"),
        pytest.param(b"\xef\xbb\xbf\r\n <html>", "is HTML or XML, expected a CSV", id="html-bom"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\nsize 1\n", "is a Git LFS pointer", id="lfs"),
        pytest.param(gzip.compress(TWO)[:-9], "is gzip, but truncated; fetch the file again", id="gzip-cut"),
        pytest.param(gzip.compress(TWO)[:5], "is gzip, but truncated", id="gzip-cut-header"),
        pytest.param(gzip.compress(TWO) + gzip.compress(TWO)[:-1], "is gzip, but truncated", id="gzip-cut-second"),
        pytest.param(gzip.compress(TWO)[:-8] + bytes(4) + b"\x0c\0\0\0", "is gzip, but damaged", id="gzip-crc"),
        pytest.param(gzip.compress(TWO) + b"junk", "is gzip, but damaged", id="gzip-junk"),
        pytest.param(gzip.compress(TWO)[:10] + b"\xff" * 30, "is gzip, but damaged", id="gzip-deflate"),
        pytest.param(gzip.compress(gzip.compress(TWO)), "is gzip within gzip", id="gzip-twice"),
        pytest.param(b"PAR1", "is Parquet, but cannot be read", id="parquet-magic"),
        pytest.param(b"PAR1" * 100, "is Parquet, but cannot be read", id="parquet-magics"),
        pytest.param(pa.table({}), "has 0 columns", id="parquet-no-columns"),
        pytest.param(parquet().slice(0, 0), "has a header but 0 rows", id="parquet-no-rows"),
        pytest.param(parquet(**{" y": [1, 2, 3]}), "two columns are called 'y'", id="parquet-twice"),
        pytest.param(parquet(**{"": [1, 2, 3]}), "column 2 has no name", id="parquet-no-name"),
        pytest.param(b"y\n1\n2\n", "no numeric column is left for the features; got columns 'y'", id="only-target"),
        pytest.param(
            b"t,y\na,1\nb,2\n", "is left for the features: column 't': row 1 is 'a', not a number$", id="only-text"
        ),
        pytest.param(b"x,y\n1,a\n2,b\n", "column 'y': row 1 is 'a', not a number", id="text-target"),
        pytest.param(b"x,y\n1,\n2,NA\n", "column 'y': has no values", id="missing-target"),
    ],
)
def test_refused(tmp_path, content, match):
    refused(tmp_path, content, match)


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        ({"features": ("body_mas",)}, "has no column 'body_mas'; did you mean 'body_mass'[?]"),
        ({"features": ("BODY_MASS",)}, "has no column 'BODY_MASS'; did you mean 'body_mass'[?]"),
        ({"features": ("rain",)}, "has no column 'rain'; did you mean 'RAIN'[?]"),
        ({"features": ("zzz",)}, "has no column 'zzz'; expected one of 'body_mass', 'x', 'RAIN', 'y'"),
        ({"target": "Y"}, "has no column 'Y'; did you mean 'y'[?]"),
        ({"target": "zzz"}, "has no column 'zzz'; expected one of"),
        ({"features": ("x", "y")}, "the target 'y' is among the features; leave it out of --features"),
        ({"features": ("x", " y ")}, "the target 'y' is among the features"),
        ({"features": ("x", "body_mass", "x")}, "the feature 'x' is named twice"),
        ({"features": ()}, "no numeric column is left for the features"),
    ],
    ids=["near", "lower", "upper", "far", "target-case", "target-far", "among", "among-trimmed", "twice", "none"],
)
def test_refused_choice(tmp_path, chosen, match):
    refused(tmp_path, "body_mass,x,RAIN,y\n1,2,3,4\n4,5,6,7\n", match, **chosen)
    refused(tmp_path, pa.table({"body_mass": [1, 2], "x": [2, 3], "RAIN": [0, 1], "y": [3, 4]}), match, **chosen)


def test_long_lists_of_columns_are_cut(tmp_path):
    names = [f"column {place}" for place in range(20)]
    content = ",".join(names) + "\n" + ",".join(["1"] * 20) + "\n"
    refused(tmp_path, content, "'column 7' and 12 more$", features=("zzz",))


def test_a_damaged_name_in_a_message_is_escaped(tmp_path):
    content = '"a\n\x1b[2Jb\u202e",y\n1,2\n1a,3\n2,3\n'
    refused(tmp_path, content, r"column 'a\\n\\x1b\[2Jb\\u202e': row 2 is '1a'")


def test_missing_file_folder_and_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, match in (("none", "no such file"), ("fifo", "is not a regular file")):
        with pytest.raises(DataError, match=match):
            read_table(tmp_path / name, features=None, target="y")


# ---- what nobody asked for -------------------------------------------------------------------------------------------


def test_only_the_columns_asked_for_must_be_in_order(tmp_path):
    """Neither what the others are called nor what they hold: no name, one name twice, no UTF-8, too long a name."""
    long = "n" * 1001
    content = f",u,x,u,{long},y,\n0,'1,1,a,b,2,\n1,'2,3,\udce9,b,4,inf\n".encode(errors="surrogateescape")
    table = read(tmp_path, content, features=("x",))
    assert (table.features.tolist(), table.target.tolist()) == ([[1.0], [3.0]], [2.0, 4.0])
    assert [column.name for column in table.left_out] == ["", "u", "u", long, ""]
    values = [pa.array([0, 1]), pa.array(["a", "b"]), pa.array([1, 3]), pa.array([[1], []]), pa.array([2, 4])]
    names = ["", "u", "x", "u", "y"]
    table = read(tmp_path, pa.Table.from_arrays(values, names=names), features=("x",))
    assert (table.features.tolist(), table.target.tolist()) == ([[1.0], [3.0]], [2.0, 4.0])
    refused(tmp_path, content, "two columns are called 'u'; rename one$", features=("u",))


def test_a_name_with_a_point_is_not_the_name_before_it(tmp_path):
    table = pa.table({"a.b": [5, 6], "a": [1, 2], "y": [2, 3]})
    assert read(tmp_path, table, features=("a",)).features.tolist() == [[1.0], [2.0]]
    assert read(tmp_path, table, features=("a.b",)).features.tolist() == [[5.0], [6.0]]


def test_text_that_stands_in_many_rows_is_read_once(tmp_path):
    """4 GB of text in a file of some kilobytes: as a dictionary it is 1 MB, and its numbers are found all the same."""
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 3999 + [1], pa.int32()), ["x" * 10**6, "5"])
    with pyarrow.parquet.ParquetWriter(tmp_path / "table", pa.schema([("t", pa.string()), ("y", pa.int64())])) as out:
        for start in range(0, 4000, 1000):
            rows = repeated[start : start + 1000].cast(pa.string())
            out.write_table(pa.table({"t": rows, "y": range(start, start + 1000)}))
    assert (tmp_path / "table").stat().st_size < 10**6
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    batches = list(ParquetSource(place_of(tmp_path / "table")).batches([0]))
    assert pool.bytes_allocated() - before < 50 * 10**6
    assert [len(batch.columns[0].chunk(0).dictionary) for batch in batches] == [1, 1, 1, 2]
    with pytest.raises(DataError, match=r"row 1 is 'x+\.\.\.', not a number"):
        read_table(tmp_path / "table", features=("t",), target="y")
    with pytest.raises(DataError, match="no numeric column is left"):
        read_table(tmp_path / "table", features=None, target="y")
