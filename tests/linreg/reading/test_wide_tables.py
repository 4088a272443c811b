"""Columns of text cost a few parses of a chunk together, not one each."""

import pyarrow.csv

from linreg.reading.stream import open_stream

TEXTS = 500
MOST_PARSES = 12


def test_many_columns_of_text_are_found_together(tmp_path, monkeypatch):
    names = [f"t{place}" for place in range(TEXTS)]
    rows = [",".join([str(row), *["a"] * TEXTS, str(2 * row)]) for row in range(5)]
    (tmp_path / "t.csv").write_text("\n".join([",".join(["x", *names, "y"]), *rows]))
    parses = 0
    read_csv = pyarrow.csv.read_csv

    def counted(*given, **options):
        nonlocal parses
        parses += 1
        return read_csv(*given, **options)

    monkeypatch.setattr(pyarrow.csv, "read_csv", counted)
    stream = open_stream(tmp_path / "t.csv", features=None, target="y")
    (block,) = stream.blocks()
    assert stream.feature_names == ("x",)
    assert block.values.tolist() == [[row, 2 * row] for row in range(5)]
    assert parses <= MOST_PARSES
