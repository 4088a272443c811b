"""How cells are written, on the command line and in Python. Oracle: pandas reads the same text, numpy fits it."""

import io
import json
import subprocess

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg as package
from linreg.errors import LinregError
from tests.cli.test_process import LINREG

GENERATOR = np.random.default_rng(7)
X, Z = GENERATOR.uniform(-5000, 5_000_000, 40), GENERATOR.uniform(0, 9, 40)
Y = 3 * X + 1000 * Z + GENERATOR.normal(size=40)


def european(value: float) -> str:
    return f"{value:,.3f}".translate(str.maketrans(",.", ".,"))


def text_of(write, separator: str = ",", gaps: str = "") -> str:
    rows = [[f'"{write(value)}"' for value in row] for row in zip(X, Z, Y, strict=True)]
    for place in (3, 17):
        rows[place][0] = gaps
    return "\n".join([separator.join("xzy"), *map(separator.join, rows)]) + "\n"


CASES = {
    "decimal comma": (text_of(lambda value: f"{value:.3f}".replace(".", ",")), {"decimal": ","}),
    "semicolons": (text_of(lambda value: f"{value:.3f}", ";"), {"delimiter": ";"}),
    "tab": (text_of(lambda value: f"{value:.3f}", "\t"), {"delimiter": "\t"}),
    "thousands commas": (text_of(lambda value: f"{value:,.3f}"), {"thousands": ","}),
    "thousands points": (text_of(european, ";"), {"thousands": ".", "delimiter": ";"}),
    "thousands spaces": (text_of(lambda value: f"{value:,.3f}".replace(",", " ")), {"thousands": " "}),
    "question marks": (text_of(lambda value: f"{value:.3f}", gaps="?"), {"missing": "?"}),
    "a number for missing": (text_of(lambda value: f"{value:.3f}", gaps=" -9999"), {"missing": "-9999"}),
    "the number as float": (text_of(lambda value: f"{value:.3f}", gaps="-9999.0"), {"missing": "-9999"}),
    "all at once": (
        text_of(european, ";", gaps="-1"),
        {"thousands": ".", "decimal": ",", "delimiter": ";", "missing": "-1"},
    ),
}


def expected_table(text: str, options: dict[str, str]) -> pd.DataFrame:
    decimal = options.get("decimal", "," if options.get("thousands") == "." else ".")
    read = pd.read_csv(
        io.StringIO(text), sep=options.get("delimiter", ","), decimal=decimal, thousands=options.get("thousands")
    )
    for name in "xzy":  # a number that stands for nothing is compared as a number
        read[name] = pd.to_numeric(read[name].replace("?", None))
    if options.get("missing", "?") != "?":
        read = read.replace(float(options["missing"]), np.nan)
    return read


def coefficients_of(frame: pd.DataFrame) -> np.ndarray:
    whole = frame.dropna()
    matrix = np.column_stack([whole.x, whole.z, np.ones(len(whole))])
    return np.linalg.lstsq(matrix, whole.y, rcond=None)[0]


def words_of(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


@pytest.mark.parametrize("name", CASES)
def test_each_option_gives_the_numbers_that_pandas_reads(linreg, tmp_path, name):
    text, options = CASES[name]
    frame = expected_table(text, options)
    assert frame.x.isna().sum() == 2, "the cells that were emptied"
    assert np.array_equal(frame.z, np.round(Z, 3))
    (tmp_path / "t.csv").write_text(text)
    train = ["train", "t.csv", "--target", "y", "--split", "1", "--dtype", "float64", "-o", "b"]
    ended = linreg(*train, *words_of(options), "--json")
    assert ended.code == 0, ended.err
    card = json.loads(ended.out)
    assert [row["value"] for row in card["coefficients"]] == pytest.approx(coefficients_of(frame), rel=1e-9, abs=1e-7)
    assert card["features"] == ["x", "z"]
    assert card["metrics"]["train"]["rows"] == 38
    fitted = package.fit("t.csv", target="y", split="1", dtype="float64", **options)
    assert fitted.card.state_sha256 == card["state_sha256"]

    weight, other, bias = (row["value"] for row in card["coefficients"])
    predicted = frame.x * weight + frame.z * other + bias
    for given in ([], words_of(options)):  # the card knows them
        ended = linreg("predict", "t.csv", "-m", "b", *given)
        assert ended.code == 0, ended.err
        written = pd.read_csv(io.StringIO(ended.out))
        assert written.predicted_y.isna().sum() == 2
        assert np.allclose(written.predicted_y, predicted, rtol=1e-12, equal_nan=True)
        ended = linreg("evaluate", "t.csv", "-m", "b", "--json", *given)
        assert json.loads(ended.out)["metrics"] == {"train": card["metrics"]["train"]}
    found = fitted.predict("t.csv").column("predicted").to_numpy()
    assert np.allclose(found, predicted, rtol=1e-12, equal_nan=True)


def test_a_card_of_an_ordinary_table_says_nothing_of_reading(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    options = ["--target", "y", "--split", "1", "-o", "b", "--json"]
    assert "read" not in json.loads(linreg("train", "t.csv", *options, "--decimal", ".").out)["data"]
    data = json.loads(linreg("train", "t.csv", *options, "--missing", "?", "--missing", "-").out)["data"]
    assert data["read"] == {"missing": ["?", "-"]}


def test_an_option_overrides_the_card(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n1,5;2\n2,5;3\n3;5\n")
    (tmp_path / "other.csv").write_text("x,y\n1.5,2\n")
    words = ["--decimal", ",", "--delimiter", ";"]
    assert linreg("train", "t.csv", "--target", "y", "--split", "1", "-o", "b", *words).code == 0
    assert linreg("predict", "other.csv", "-m", "b").code == 1
    ended = linreg("predict", "other.csv", "-m", "b", "--delimiter", ",", "--decimal", ".")
    assert ended.code == 0
    assert ended.out.splitlines()[1].startswith("1.5,")
    pictures = linreg("plot", "t.csv", "-m", "b", "-o", "p")
    assert pictures.code == 0, pictures.err


def test_a_number_for_missing_counts_in_parquet_too(tmp_path):
    table = pa.table({"x": [1, 2, -999, 4], "y": [2.0, 3.0, 4.0, -999.0], "t": ["1", "-999", "3", "4"]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    for data in (tmp_path / "t.parquet", table):
        fitted = package.fit(data, target="y", features=["x"], split=1, missing=["-999"])
        assert fitted.metrics["train"]["rows"] == 2


BAD = [
    (["--decimal", ";"], "--decimal: got ';', expected a point or a comma"),
    (["--thousands", "ab"], "--thousands: got 'ab', expected one sign"),
    (["--thousands", "5"], "--thousands: got '5', expected one sign"),
    (["--thousands", ",", "--decimal", ","], "--thousands: ',' is the decimal mark as well; give another --decimal"),
    (["--delimiter", ""], "--delimiter: got '', expected one sign"),
    (["--delimiter", "é"], "--delimiter: got 'é', expected an ASCII sign"),
    (["--delimiter", "."], "--delimiter: '.' is part of numbers"),
    (["--missing", ""], "--missing: got an empty word"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=lambda value: " ".join(value) if type(value) is list else "")
def test_bad_values_are_wrong_usage(linreg, penguins, tmp_path, words, message):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    for command in (["train", "t.csv", "--target", "y"], ["predict", "t.csv", "-m", penguins / "model.onnx"]):
        ended = linreg(*command, *words)
        assert ended.code == 2
        assert message in ended.err
        assert len(ended.err.splitlines()) == 1
    options = dict(zip([word.strip("-") for word in words[::2]], words[1::2], strict=True))
    with pytest.raises(LinregError) as caught:
        package.fit(tmp_path / "t.csv", target="y", **options)
    assert str(caught.value).startswith(message.partition(";")[0].removeprefix("--"))
    assert "--" not in str(caught.value)


def test_they_are_refused_where_no_table_is_read(linreg, penguins, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    commands = [
        (["train"], "the straight line"),
        (["evaluate", "-m", penguins], "the line that the model was trained on"),
        (["plot", "-m", penguins], "the line that the model was trained on"),
        (["predict", "a.npz", "-m", penguins], "a file of arrays"),
    ]
    for name, value in {"decimal": ",", "thousands": ",", "delimiter": ";", "missing": "?"}.items():
        for command, what in commands:
            ended = linreg(*command, f"--{name}", value)
            assert (ended.code, ended.out) == (2, "")
            assert f"--{name} belongs to a table, and this is {what}; leave it out" in ended.err
        with pytest.raises(LinregError, match=f"{name}: got '.', but it says how the cells of a table are written"):
            package.fit((np.zeros((3, 1)), np.zeros(3)), **{name: value})
        with pytest.raises(LinregError, match=f"{name}: got '.', but a Dataset has its columns already"):
            package.fit(package.straight_line(), **{name: value})


def test_a_card_with_strange_options_is_refused(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    linreg("train", "t.csv", "--target", "y", "--split", "1", "-o", "b", "--missing", "?")
    card = (tmp_path / "b" / "card.json").read_text()
    for name in ("manifest.json", "SHA256SUMS"):
        (tmp_path / "b" / name).unlink()
    for strange in ('"x"', "[1]", '{"missing": "?"}', '{"decimal": 5}', '{"delimiter": [";"]}', '{"other": 1}'):
        data = json.loads(card)
        data["data"]["read"] = json.loads(strange)
        (tmp_path / "b" / "card.json").write_text(json.dumps(data))
        ended = linreg("evaluate", "t.csv", "-m", "b")
        assert ended.code == 1
        assert "card.json: 'read': " in ended.err, ended.err


PLACES = ["folder", "pattern", "uri", "pipe"]


@pytest.mark.parametrize("form", PLACES)
def test_train_evaluate_and_plot_take_every_place_of_a_table(tmp_path, form):
    folder = tmp_path / "parts"
    folder.mkdir()
    lines = [f"{row},{row * row}" for row in range(20)]
    for part in range(2):
        (folder / f"part-{part}.csv").write_text("\n".join(["x,y", *lines[10 * part : 10 * part + 10]]) + "\n")
    whole = "\n".join(["x,y", *lines]) + "\n"
    (tmp_path / "whole.csv").write_text(whole)
    place = {"folder": "parts", "pattern": "parts/part-*.csv", "uri": folder.as_uri(), "pipe": "-"}[form]

    def run(*words):
        return subprocess.run(
            [*LINREG, *words],
            cwd=tmp_path,
            input=whole if form == "pipe" else "",
            capture_output=True,
            text=True,
            check=True,
        )

    trained = json.loads(run("train", place, "--target", "y", "-o", "b", "--json").stdout)
    same = json.loads(run("train", "whole.csv", "--target", "y", "-o", "c", "--json").stdout)
    assert trained["state_sha256"] == same["state_sha256"]
    assert trained["data"] == same["data"]
    evaluated = json.loads(run("evaluate", place, "-m", "b", "--json").stdout)
    assert evaluated["metrics"] == trained["metrics"]
    run("plot", place, "-m", "b", "-o", "pictures")
    assert (tmp_path / "pictures" / "predictions.png").exists()


def test_python_takes_a_uri(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,2\n2,3\n3,5\n")
    model = package.fit(path.as_uri(), target="y", split=1)
    assert model.predict(path.as_uri()).equals(model.predict(path))


@pytest.mark.parametrize(
    ("theirs", "ours"), [("--sep", "--delimiter"), ("--na-values", "--missing"), ("--decimal-point", "--decimal")]
)
def test_the_words_of_pandas_are_understood(linreg, theirs, ours):
    ended = linreg("train", "t.csv", "--target", "y", theirs, ";")
    assert ended.code == 2
    assert f"did you mean {ours}?" in ended.err


@pytest.mark.parametrize("output", ["parts", "parts/model"])
def test_train_does_not_write_into_its_table(linreg, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    refused = linreg("train", "parts", "--target", "y", "--split", "1", "-o", output)
    assert refused.failure().startswith(f"error: {output}: is inside the table parts, which is never changed")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["1.csv"]
