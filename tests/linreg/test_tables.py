"""What a table may hold, what is refused and with which words. Oracles: float(), csv, NumPy."""

import csv
import gzip
import hashlib
import io
import json
import os
import random
import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linreg import columns, tables
from linreg.cells import MISSING
from linreg.errors import DataError
from linreg.tables import read_table
from tests.conftest import TESTS

PENGUINS = TESTS / "data" / "penguins.csv"
TWO = b"x,y\n1,2\n2,3\n"
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
# tmp_path is shared by the examples of a property: each writes the file anew.
many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path, content):
    if isinstance(content, pa.Table):
        pyarrow.parquet.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder, content, *, features=None, target="y"):
    return read_table(write(folder / "table", content), features=features, target=target)


def refused(folder, content, match, **chosen):
    with pytest.raises(DataError, match=match) as caught:
        read(folder, content, **chosen)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'table'}: ")
    assert message.isprintable()
    assert len(message) < 500 + len(str(folder))


def parquet(**columns):
    return pa.table({"y": [2.0, 3.0, 5.0], **columns})


def parquet_bytes(table, **options):
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, **options)
    return stream.getvalue()


def bits(values):
    return np.ascontiguousarray(values).view(np.int64).tolist()


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


# ---- numbers ---------------------------------------------------------------------------------------------------------


GOOD = """
1. .5 +.5 -0 -0.0 00012 1e5 1E+05 1e-5 1e0000000001 0.1 0.30000000000000004 1e-400 5e-324 4.9406564584124654e-324
2.2250738585072011e-308 1.7976931348623157e308 9007199254740991 9007199254740993 123456789012345678901234567890
179769313486231580793728971405301e276 0.500000000000000166533453693773481063544750213623046875
"""
BAD = r"""
12a 0x10 0b1 1_000 ١٢ １２ ² 1e e5 . + - -- --1 +-1 1e5.0 1.2.3 1d5 1f 1L $5 1% ∞ True =1+1 @SUM(1) '1 ? +nan NAN nan(1)
infinit 1e+ 1/2 12:30 2020-01-01
"""
DIGITS = "; write digits and a point alone: 1000 for a thousand, 12.5 for 12.5 % or $12.5"
EMPTY = "; leave a cell without a value empty"
HINTS = dict.fromkeys(["1_000", "١٢", "１２", "--1", "+-1", "$5", "1%", "'1"], DIGITS)
HINTS |= dict.fromkeys([".", "+", "-", "--", "∞", "?"], EMPTY)
HINTS |= dict.fromkeys(["1 000", "1\u00a0000"], DIGITS)
MORE_BAD = ["1 000", "1\u00a0000", "1\u200b", "\x1b[31m1", "1\n2", '1"', "1;2", "1\t2", "x" * 10_000]


@pytest.mark.parametrize("text", GOOD.split())
def test_numbers_as_float_reads_them(tmp_path, text):
    expected = float(text)
    for content in (f"x,y\n7,0\n{text},1\n", parquet_bytes(pa.table({"x": ["7", text], "y": [0.0, 1.0]}))):
        assert bits(read(tmp_path, content).features[1]) == bits(np.array([expected]))


@pytest.mark.parametrize("text", [*BAD.split(), *MORE_BAD], ids=lambda text: ascii(text[:12])[1:-1])
def test_a_typo_is_told_with_its_row(tmp_path, text):
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    stream = io.StringIO()
    csv.writer(stream).writerows([["x", "y"], ["7", "1"], ["", "2"], [text, "3"], ["8", "4"], ["9", "5"]])
    with pytest.raises(DataError) as caught:
        read(tmp_path, stream.getvalue())
    start = f"{tmp_path / 'table'}: column 'x': row 3 is {shown}, not a number{HINTS.get(text, '')}"
    assert str(caught.value) == start + "; mend it, or choose columns with --features"
    with pytest.raises(DataError) as caught:
        read(tmp_path, stream.getvalue(), features=("x",))
    assert str(caught.value) == start
    table = pa.table({"x": ["7", None, text, "8", "9"], "y": [1.0, 2, 3, 4, 5]})
    refused(tmp_path, table, "column 'x': row 3 is .*, not a number")


@pytest.mark.parametrize("text", ["1,5", "-1,5", "1,000", "1,234,567.89"])
def test_commas_in_numbers_get_a_hint(tmp_path, text):
    refused(tmp_path, f'x,y\n1,2\n2,3\n"{text}",4\n', f"row 3 is '{text}', not a number; write 1.5 for one and a half")


def test_no_hint_where_it_is_no_number(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, 'x,y\n1,2\n2,3\n"a,5",4\n')
    assert "write 1.5" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["inf", "+inf", "-INF", "Infinity", "-infinity", "1e999", "-1e999", "1.797693134862316e308"]
)
def test_infinite_is_refused_with_its_row(tmp_path, text):
    refused(
        tmp_path, f"x,y\n1,2\n,3\n{text},4\n", f"column 'x': row 3 is '{re.escape(text)}', expected a finite number$"
    )
    refused(
        tmp_path, f"x,y\n1,2\n2,3\n3,{text}\n", f"column 'y': row 3 is '{re.escape(text)}', expected a finite number$"
    )


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()], ids=str)
def test_infinite_in_parquet_is_refused_with_its_row(tmp_path, kind):
    table = parquet(x=pa.array(np.array([1, np.inf, -np.inf], kind.to_pandas_dtype())))
    refused(tmp_path, table, "column 'x': row 2 is 'inf', expected a finite number$")


@pytest.mark.parametrize("text", [*MISSING, " NA ", '""'])
def test_missing_values_leave_the_row_out(tmp_path, text):
    table = read(tmp_path, f"x,z,y\n1,1,2\n{text},2,3\n3,3,4\n4,4,{text}\n5,5,6\n")
    assert table.features.tolist() == [[1.0, 1.0], [3.0, 3.0], [5.0, 5.0]]
    assert table.target.tolist() == [2.0, 4.0, 6.0]
    assert table.complete.tolist() == [True, False, True, False, True]
    assert table.notes == ("2 of 5 rows have no value in a used column and are left out",)


def test_missing_in_an_unused_column_costs_no_row(tmp_path):
    table = read(tmp_path, "x,z,y\n1,,2\n2,NA,3\n3,5,4\n", features=("x",))
    assert table.complete.all()
    assert table.notes == ()


@pytest.mark.parametrize(
    ("cells", "left_out"),
    [
        (["A12", "a", "12B", "2020-01-01"], "row 1 is 'A12', not a number"),
        (["12:30", "0-10", "10.0.0.1", "192.168.100.200"], "row 1 is '12:30', not a number"),
        (["?", "-", "", "?"], r"row 1 is '\?', not a number; leave a cell without a value empty"),
        (["", "", "", "a"], "row 4 is 'a', not a number"),
        (["", "NA", "null", ""], "has no values"),
    ],
    ids=["ids", "looks-like-numbers", "signs", "mostly-missing", "all-missing"],
)
def test_a_column_of_text_is_left_out_with_the_reason(tmp_path, cells, left_out):
    content = "t,x,y\n" + "".join(f"{cell},{row},{row}\n" for row, cell in enumerate(cells))
    column = [cell if cell else None for cell in cells]
    for form in (content, pa.table({"t": column, "x": [0, 1, 2, 3], "y": [0, 1, 2, 3]})):
        table = read(tmp_path, form)
        assert table.feature_names == ("x",)
        assert [(column.name, column.reason) for column in table.left_out] == [("t", left_out.replace("\\", ""))]
        assert len(table.features) == 4
        refused(tmp_path, form, f"column 't': {left_out}", features=("t",))


OTHERWISE = r"""
1,000 1,234,567.89 12,34,567 1.000,5 1.000.000 1'000 1’000 1,5 ,5 12% 12,5% 5‰ $5 $1,000.50 -$5 $-5 5€ €5 EUR5 −5 (5)
($5) 5- <5 >=5 ~5 '5 5* 20°C 1_000 ٣ ٣٫٥
"""
MORE_OTHERWISE = ["1 000", "1 000,50", "1\u00a0000", "1\u202f000", "12 %", "5 €", "USD 5", "- 5", " 1,000 "]


@pytest.mark.parametrize("text", [*OTHERWISE.split(), *MORE_OTHERWISE], ids=ascii)
@pytest.mark.parametrize("rest", [[], ["?", "?", "unknown", ""]], ids=["all", "among-text"])
def test_a_column_of_numbers_written_otherwise_does_not_vanish(tmp_path, text, rest):
    """However many cells are so: one is enough, since a column that is gone changes the answer in silence."""
    cells = [text, text, *rest]
    rows = [[cell, row, row * row] for row, cell in enumerate(cells)]
    stream = io.StringIO()
    csv.writer(stream).writerows([["t", "x", "y"], *rows])
    match = f"column 't': row 1 is {re.escape(repr(text))}, not a number.*choose columns with --features$"
    refused(tmp_path, stream.getvalue(), match)
    refused(tmp_path, pa.table({name: column for name, *column in zip("txy", *rows, strict=True)}), match)
    assert read(tmp_path, stream.getvalue(), features=("x",)).feature_names == ("x",)


@pytest.mark.parametrize("real", [1, 2, 50, 99, 100])
def test_one_more_question_mark_never_turns_an_error_into_nothing(tmp_path, real):
    cells = ["?"] * (100 - real) + ["1.5"] * real
    content = "t,x,y\n" + "".join(f"{cell},{row},{row % 7}\n" for row, cell in enumerate(cells))
    if real == 100:
        assert read(tmp_path, content).feature_names == ("t", "x")
    else:
        shown = r"column 't': row 1 is '\?', not a number(, but row .* is '1.5')?; leave a cell without a value empty; "
        refused(tmp_path, content, shown)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["1", "a", "2", "b"], "row 2 is 'a', not a number, but row 1 is '1'"),
        (["a", "b", "", "1"], "row 1 is 'a', not a number, but row 4 is '1'"),
        (["a", "1,000", "b", "b"], "row 1 is 'a', not a number, but row 2 is '1,000'"),
    ],
    ids=["half", "mostly", "separator"],
)
def test_text_among_numbers_is_an_error_that_shows_both(tmp_path, cells, problem):
    table = pa.table({"t": cells, "x": [0, 1, 2, 3], "y": [0, 1, 2, 3]})
    refused(tmp_path, table, f"column 't': {problem}; mend it, or choose columns with --features$")
    refused(tmp_path, table, f"column 't': {problem}$", features=("t",))


@pytest.mark.parametrize(
    ("value", "told"),
    [(2**53 - 1, False), (2**53, True), (2**53 + 1, True), (-(2**53) - 1, True)],
    ids=lambda v: str(v),
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_whole_numbers_that_float64_rounds_are_told(tmp_path, value, told, kind):
    content = f"x,y\n{value},1\n,2\n2,3\n" if kind == "csv" else parquet(x=[value, None, 2])
    table = read(tmp_path, content)
    note = "column 'x' has values of 2^53 or more, where float64 rounds whole numbers"
    assert (note in table.notes) is told
    assert table.features[0, 0] == float(value)


# ---- properties ------------------------------------------------------------------------------------------------------


@st.composite
def float_tables(draw):
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(2, 5))
    return np.array(draw(st.lists(FLOATS, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)


@many
@given(values=float_tables(), form=st.sampled_from([repr, "{:.17g}".format, "{:+.16E}".format]), packed=st.booleans())
def test_csv_keeps_every_bit(tmp_path, values, form, packed):
    names = [f"c{place}" for place in range(values.shape[1])]
    lines = [",".join(names), *(",".join(form(float(value)) for value in row) for row in values)]
    content = ("\n".join(lines) + "\n").encode()
    table = read(tmp_path, gzip.compress(content) if packed else content, target="c0")
    assert bits(table.features) == bits(values[:, 1:])
    assert bits(table.target) == bits(values[:, 0])


@many
@given(values=float_tables(), compression=st.sampled_from(["none", "snappy", "zstd"]), row_group=st.integers(1, 4))
def test_parquet_keeps_every_bit(tmp_path, values, compression, row_group):
    table = pa.table({f"c{place}": column for place, column in enumerate(values.T)})
    content = parquet_bytes(table, compression=compression, row_group_size=row_group)
    table = read(tmp_path, content, target="c0")
    assert bits(table.features) == bits(values[:, 1:])
    assert bits(table.target) == bits(values[:, 0])


@many
@given(
    cells=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=6),
    header=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_quoted_text_leaves_the_numbers_in_their_rows(tmp_path, cells, header, end):
    stream = io.StringIO(newline="")
    rows = [[row, "text " + cell, row / 7] for row, cell in enumerate(cells)]
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator=end).writerows([["x", "n " + header, "y"], *rows])
    table = read(tmp_path, stream.getvalue())
    assert table.features[:, 0].tolist() == [*range(len(cells))]
    assert table.target.tolist() == [row / 7 for row in range(len(cells))]


@many
@given(
    values=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19)
    )
)
def test_decimals_become_the_nearest_float(tmp_path, values):
    values = [Decimal("0.30000000000000004"), *values]
    table = pa.table({"x": pa.array(values, pa.decimal128(38, 18)), "y": [0.5] * len(values)})
    assert bits(read(tmp_path, table).features[:, 0]) == bits(np.array([float(value) for value in values]))


# ---- Parquet types ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.int8()),
        pa.array([1, None, 3], pa.uint64()),
        pa.array([1.0, np.nan, 3.0], pa.float32()),
        pa.array(np.array([1, np.nan, 3], np.float16)),
        pa.array([Decimal("1.00"), None, Decimal("3.00")]),
        pa.array([Decimal("1E+3"), None, Decimal("3E+3")], pa.decimal256(76, 40)),
        pa.array([1, None, 3]).dictionary_encode(),
        pa.array(["1", None, "3"]).dictionary_encode(),
        pa.array(["1", "NA", " 3"]),
        pa.array(["1", None, "3"], pa.large_string()),
        pa.array(["1", None, "3"], pa.string_view()),
    ],
    ids=lambda column: str(column.type)[:24].replace("/", "-"),
)
def test_parquet_columns_of_numbers(tmp_path, column):
    table = read(tmp_path, parquet(x=column))
    unit = 1000.0 if column.type == pa.decimal256(76, 40) else 1.0
    assert table.features.tolist() == [[unit], [3 * unit]]
    assert table.complete.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([True, False, None]), "is bool, not numbers"),
        (pa.array([[1], [2], []]), "is list<element: int64>, not numbers"),
        (pa.array([{"a": 1}, {"a": 2}, None]), "is struct<a: int64>, not numbers"),
        (pa.array([1, 2, 3], pa.timestamp("ms")), r"is timestamp\[ms\], not numbers"),
        (pa.array([1, 2, 3], pa.date32()), r"is date32\[day\], not numbers"),
        (pa.array([b"1", b"2", b"3"]), "is binary, not numbers"),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "row 1 is 'a', not a number"),
        (pa.nulls(3), "has no values"),
        (pa.nulls(3, pa.float64()), "has no values"),
        (pa.nulls(3, pa.string()), "has no values"),
        (pa.array([np.nan] * 3), "has no values"),
    ],
    ids=lambda value: str(value.type)[:24] if isinstance(value, pa.Array) else "",
)
def test_parquet_columns_that_are_none(tmp_path, column, reason):
    table = parquet(k=column, x=[1, 2, 3])
    refused(tmp_path, table, f"column 'k': {reason}", features=("k",))
    used = read(tmp_path, table)
    assert used.feature_names == ("x",)
    assert used.left_out[0].name == "k"
    assert used.left_out[0].reason == reason.replace("\\", "")
    assert len(used.features) == 3


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
        pytest.param("x,y\n1,2\n".encode("utf-16-be"), "zero byte at offset 0", id="utf-16-no-bom"),
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
        pytest.param(b'x,y,n\n1,2,a\n2,3,"b\n3,4,c\n', "row 2 cannot be read: .*look at its quotes", id="open-quote"),
        pytest.param(
            b'x,y,n\n\n1,2,a\n\n2,3,"b"c\n', "row 2 cannot be read: .*look at its quotes", id="text-after-quote"
        ),
        pytest.param(b'"x,y\n1,2\n3,4\n', "its header cannot be read: .*look at its quotes", id="open-header"),
        pytest.param(b"x" * 200_000 + b",y\n1,2\n", "its header cannot be read: field larger", id="huge-name"),
        pytest.param(
            b"x" * 1001 + b",y\n1,2\n", "the name of column 1 has 1001 characters, at most 1000", id="long-name"
        ),
        pytest.param(b"<!DOCTYPE html><html>", "is HTML or XML, expected a CSV", id="html"),
        pytest.param(b"\xef\xbb\xbf\r\n <html>", "is HTML or XML, expected a CSV", id="html-bom"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\nsize 1\n", "is a Git LFS pointer", id="lfs"),
        pytest.param(gzip.compress(TWO)[:-9], "is gzip, but cut off; fetch the file again", id="gzip-cut"),
        pytest.param(gzip.compress(TWO)[:5], "is gzip, but cut off", id="gzip-cut-header"),
        pytest.param(gzip.compress(TWO) + gzip.compress(TWO)[:-1], "is gzip, but cut off", id="gzip-cut-second"),
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
    for name, match in (("none", "no such file"), ("", "is a folder"), ("fifo", "is not a regular file")):
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
    columns_of_file = columns.open_columns(tmp_path / "table", (tmp_path / "table").read_bytes())
    (text,) = columns_of_file.read([0])
    assert pool.bytes_allocated() - before < 50 * 10**6
    assert [len(chunk.dictionary) for chunk in text.chunks] == [1, 1, 1, 2]
    with pytest.raises(DataError, match=r"row 1 is 'x+\.\.\.', not a number, but row 4000 is '5'"):
        read_table(tmp_path / "table", features=("t",), target="y")


def test_a_column_that_holds_no_numbers_is_not_even_read(tmp_path, small_parquet):
    """Of a damaged payload nothing is noticed, since its bytes are left alone."""
    table = pa.table({"payload": [b"word" * 100] * 3, "x": [1, 2, 3], "y": [2.0, 3.0, 5.0]})
    content = parquet_bytes(table, compression="none", use_dictionary=False)
    damaged = content.replace(b"word", b"\xff\xff\xff\xff")
    at = content.index(b"word") - 40
    damaged = damaged[:at] + b"\xff" * 40 + damaged[at + 40 :]
    for features in (None, ("x",)):
        assert read(tmp_path, damaged, features=features).features.tolist() == [[1.0], [2.0], [3.0]]


# ---- the row index of pandas -----------------------------------------------------------------------------------------


def with_index(index_columns, **columns):
    table = pa.table({**columns, "y": [2.0, 3.0, 5.0]})
    return table.replace_schema_metadata({"pandas": json.dumps({"index_columns": index_columns})})


@pytest.mark.parametrize(
    ("name", "index_columns"),
    [
        ("__index_level_0__", ["__index_level_0__"]),
        ("id", ["id"]),
        ("__index_level_0__", ["other"]),
        ("__index_level_1__", [{"kind": "range", "name": None, "start": 0, "stop": 3, "step": 1}]),
    ],
    ids=["unnamed", "named", "not-recorded", "range"],
)
def test_the_row_index_of_pandas_is_no_feature(tmp_path, name, index_columns):
    content = with_index(index_columns, x=[1, 2, 4], **{name: [7, 9, 8]})
    table = read(tmp_path, content)
    assert table.feature_names == ("x",)
    assert [(column.name, column.reason) for column in table.left_out] == [
        (name, "is the row index that pandas stored; choose it with --features")
    ]
    assert read(tmp_path, content, features=(name,)).features.tolist() == [[7.0], [9.0], [8.0]]
    assert read(tmp_path, content, target=name).target.tolist() == [7.0, 9.0, 8.0]


def test_a_range_and_damaged_records_of_pandas_leave_every_column(tmp_path):
    ranges = [{"kind": "range", "name": "x", "start": 0, "stop": 3, "step": 1}]
    assert read(tmp_path, with_index(ranges, x=[1, 2, 4])).feature_names == ("x",)
    for record in (b"", b"[]", b"\xff", b"[" * 10**5, b'{"index_columns": 1}', b'{"index_columns": [["x"], null]}'):
        table = pa.table({"x": [1, 2, 4], "y": [2.0, 3.0, 5.0]}).replace_schema_metadata({b"pandas": record})
        assert read(tmp_path, table).feature_names == ("x",)


@pytest.mark.parametrize(("numbers", "used"), [([0, 1, 2], False), ([0, 1, 3], True), ([1, 2, 3], True)])
def test_a_column_that_pandas_named_and_that_counts_the_rows(tmp_path, numbers, used):
    content = "Unnamed: 0,x,y\n" + "".join(f"{number},{number * number},{number}\n" for number in numbers)
    table = read(tmp_path, content)
    assert table.feature_names == (("Unnamed: 0", "x") if used else ("x",))
    assert [column.name for column in table.left_out] == ([] if used else ["Unnamed: 0"])
    assert read(tmp_path, content, features=("Unnamed: 0",)).feature_names == ("Unnamed: 0",)


# ---- limits and damage -----------------------------------------------------------------------------------------------


def test_limit_of_columns(tmp_path):
    def content(columns):
        return ",".join(f"c{place}" for place in range(columns)) + "\n" + ",".join(["1"] * columns) + "\n"

    assert read(tmp_path, content(10_000), target="c9999").features.shape == (1, 9_999)
    refused(tmp_path, content(10_001), "has 10001 columns, expected 1 to 10000", target="c1")
    wide = pa.table({f"c{place}": [1] for place in range(10_001)})
    refused(tmp_path, wide, "has 10001 columns, expected 1 to 10000", target="c1")


def test_limit_of_bytes(tmp_path, monkeypatch):
    for module in (columns, tables):
        monkeypatch.setattr(module, "MAX_TABLE_BYTES", 3000)
    lines = b"x,y\n" + b"1,2\n" * 749
    assert read(tmp_path, gzip.compress(lines)).features.shape == (749, 1)
    refused(tmp_path, gzip.compress(lines + b"\n"), "unpacks to more than 3000 bytes, the limit")
    refused(tmp_path, lines + b"\n", "has 3001 bytes, expected at most 3000")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=ascii)
def test_limit_of_cells(tmp_path, monkeypatch, end):
    monkeypatch.setattr(columns, "MAX_CELLS", 20)
    assert read(tmp_path, end.join(["x,y"] + ["1,2"] * 9) + end).features.shape == (9, 1)
    refused(tmp_path, end.join(["x,y"] + ["1,2"] * 10) + end, "rows of 2 columns, expected at most 20 cells")
    refused(tmp_path, pa.table({"x": [1] * 11, "y": [1] * 11}), "has 11 rows of 2 columns, expected at most 20 cells")


def test_parquet_bomb(tmp_path):
    """600 million rows in a small file: refused by what its footer says, before a column is read."""
    path = tmp_path / "table"
    schema = pa.schema([("y", pa.null())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for _ in range(6):
            writer.write_table(pa.table({"y": pa.nulls(10**8)}, schema), row_group_size=10**8)
    assert path.stat().st_size < 10**6
    with pytest.raises(DataError, match="has 600000000 rows of 1 columns, expected at most 500000000 cells"):
        read_table(path, features=None, target="y")


@pytest.fixture(scope="module")
def small_parquet():
    kind = pa.array(["a", "bé"] * 10).dictionary_encode()
    columns = {"x": range(20), "t": [str(row) for row in range(20)], "k": kind, "l": [[row] for row in range(20)]}
    return parquet_bytes(pa.table({**columns, "n": [None, 1.5] * 10, "y": [row / 3 for row in range(20)]}))


def test_parquet_cut_anywhere(tmp_path, small_parquet):
    assert read(tmp_path, small_parquet).feature_names == ("x", "t", "n")
    for length in [*range(4, len(small_parquet), 5), *range(len(small_parquet) - 12, len(small_parquet))]:
        refused(tmp_path, small_parquet[:length], "is Parquet, but cannot be read")


def test_parquet_text_and_names_that_are_not_utf_8(tmp_path):
    content = parquet_bytes(parquet(name=["word", "text", "more"]), compression="none")
    for known in (b"name", b"word"):
        refused(tmp_path, content.replace(known, b"\xff" * 4), "is Parquet, but cannot be read: .*(?i:utf)")


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, small_parquet):
    generator = random.Random(7)
    quoted = "x,n,y\n" + "".join(f'{row},"a\n{row}",{row / 3}\n' for row in range(10))
    wholes = (small_parquet, small_parquet, quoted.encode(), TWO, gzip.compress(TWO * 3))
    damaged = [
        b"".join((small_parquet[:at], bytes([small_parquet[at] ^ 0x80]), small_parquet[at + 1 :]))
        for at in range(4, len(small_parquet), 5)
    ]
    for _ in range(1000):
        data = bytearray(generator.choice(wholes))
        for _ in range(generator.choice((1, 1, 2, 5))):
            at = generator.randrange(len(data))
            data[at : at + generator.choice((0, 1, 1, 1, 4))] = generator.randbytes(generator.choice((0, 1, 1, 1, 4)))
        damaged.append(bytes(data))
    outcomes = {"read": 0, "refused": 0}
    for data in damaged:
        try:
            table = read(tmp_path, data)
        except DataError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
        else:
            assert np.isfinite(table.features).all()
            assert np.isfinite(table.target).all()
            outcomes["read"] += 1
    assert min(outcomes.values()) > 50
