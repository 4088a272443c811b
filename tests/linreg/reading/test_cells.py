"""Which texts are numbers, which are missing values, and which are errors told with their row."""

import csv
import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.cells import MISSING
from tests.table_files import bits, parquet, parquet_bytes, read, refused

GOOD = """
1. .5 +.5 -0 -0.0 00012 1e5 1E+05 1e-5 1e0000000001 0.1 0.30000000000000004 1e-400 5e-324 4.9406564584124654e-324
2.2250738585072011e-308 1.7976931348623157e308 9007199254740991 9007199254740993 123456789012345678901234567890
179769313486231580793728971405301e276 0.500000000000000166533453693773481063544750213623046875
"""
BAD = r"""
12a 0x10 0b1 1_000 ١٢ １２ ² 1e e5 . + - -- --1 +-1 1e5.0 1.2.3 1d5 1f 1L $5 1% ∞ True =1+1 @SUM(1) '1 ? +nan NAN nan(1)
infinit 1e+ 1/2 12:30 2020-01-01
"""
DIGITS = "; use digits and a decimal point only: 1000 for a thousand, 12.5 for 12.5 % or $12.5"
HINTS = dict.fromkeys(["١٢", "１２", "--1", "+-1", "$5", "'1"], DIGITS)
HINTS |= {
    sign: f"; if it stands for a missing value, add --missing '{sign}'"
    for sign in (".", "+", "-", "--", "∞", "?", "+nan", "NAN", "infinit")
}
HINTS |= {"1_000": "; add --thousands '_'", "1%": "; remove the percent signs: write 12.5 for 12.5 %"}
HINTS |= dict.fromkeys(["1 000", "1\u00a0000"], "; add --thousands ' '")
MORE_BAD = ["1 000", "1\u00a0000", "1\u200b", "\x1b[31m1", "1\n2", '1"', "1;2", "1\t2", "x" * 10_000]


@pytest.mark.parametrize("text", GOOD.split())
def test_numbers_as_float_reads_them(tmp_path, text):
    expected = float(text)
    for content in (f"x,y\n7,0\n{text},1\n", parquet_bytes(pa.table({"x": ["7", text], "y": [0.0, 1.0]}))):
        assert bits(read(tmp_path, content, features=("x",)).features[1]) == bits(np.array([expected]))


@pytest.mark.parametrize("text", [*BAD.split(), *MORE_BAD], ids=lambda text: ascii(text[:12])[1:-1])
def test_a_typo_is_told_with_its_row(tmp_path, text):
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    stream = io.StringIO()
    csv.writer(stream).writerows([["x", "y"], ["7", "1"], ["", "2"], [text, "3"], ["8", "4"], ["9", "5"]])
    with pytest.raises(DataError) as caught:
        read(tmp_path, stream.getvalue())
    start = f"{tmp_path / 'table'}: column 'x': row 3 is {shown}, not a number{HINTS.get(text, '')}"
    either = "or " if "; add --" in start else ""
    assert str(caught.value) == start + f"; {either}correct it, or choose columns with --features"
    with pytest.raises(DataError) as caught:
        read(tmp_path, stream.getvalue(), features=("x",))
    assert str(caught.value) == start
    table = pa.table({"x": ["7", None, text, "8", "9"], "y": [1.0, 2, 3, 4, 5]})
    refused(tmp_path, table, "column 'x': row 3 is .*, not a number")


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("1,5", "--decimal ','"),
        ("-1,5", "--decimal ','"),
        ("0,125", "--decimal ','"),
        ("1,000", "--thousands ',' if it is a thousand or more, or --decimal ',' if it has a decimal comma"),
        ("1,234,567.89", "--thousands ','"),
        ("1.000,5", "--thousands '.'"),
    ],
)
def test_commas_in_numbers_get_a_hint(tmp_path, text, option):
    message = f"row 3 is '{text}', not a number; add {option}; or correct it, or"
    refused(tmp_path, f'x,y\n1,2\n2,3\n"{text}",4\n', message)


def test_no_hint_where_it_is_no_number(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, 'x,y\n1,2\n2,3\n"a,5",4\n')
    assert "--decimal" not in str(caught.value)


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
        (
            ["?", "-", "", "?"],
            r"row 1 is '\?', not a number; if it stands for a missing value, add --missing '\?'",
        ),
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
        shown = r"column 't': row 1 is '\?', not a number(, but row .* is '1.5')?; if it stands for a "
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
    refused(tmp_path, table, f"column 't': {problem}; correct it, or choose columns with --features$")
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
