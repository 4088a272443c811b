"""The line, the parts and the scaler. Oracles: the course's own torch lines, fractions and statistics."""

import json
import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg import data
from linreg.config import LineSettings, Precision
from linreg.data import Dataset, Part, fit_scaler, parse_split, read_dataset, split, straight_line
from linreg.errors import DataError
from tests.conftest import TESTS

COURSE = json.loads((TESTS / "data" / "course.json").read_text())


def numbered(rows, *, features=2):
    """Rows that can be told apart: target i, features i + 0.25, i + 0.5, ..."""
    target = np.arange(rows, dtype=np.float64)
    names = tuple(f"x{place}" for place in range(features))
    return Dataset(
        features=target[:, None] + np.arange(1, features + 1) / 4,
        target=target,
        feature_names=names,
        target_name="y",
        truth=None,
        table=None,
        sha256="",
    )


def table(folder, text, *, features=None, target="y"):
    path = folder / "table.csv"
    path.write_text(text)
    return read_dataset(path, features=features, target=target)


def sizes(parts):
    return {name: len(part.target) for name, part in parts.items()}


# ---- the straight line -----------------------------------------------------------------------------------------------


def test_the_line_is_the_course_recipe_bit_for_bit():
    weight, bias = 0.7, 0.3
    x = torch.arange(0, 1, 0.02).unsqueeze(dim=1)
    y = weight * x + bias
    cut = int(0.8 * len(x))
    line = straight_line(LineSettings())
    assert torch.equal(torch.from_numpy(line.features).float(), x)
    assert torch.equal(torch.from_numpy(line.target).float()[:, None], y)
    assert np.array_equal(line.features.astype(np.float32), line.features)
    assert line.features.dtype == line.target.dtype == np.float64
    parts = split(line, parse_split("0.8"), shuffle_seed=None)
    assert torch.equal(torch.from_numpy(parts.train.features).float(), x[:cut])
    assert torch.equal(torch.from_numpy(parts.test.target).float()[:, None], y[cut:])
    assert len(x) == COURSE["data"]["points"]
    assert list(sizes(parts).values()) == COURSE["data"]["split"]
    assert line.truth == (COURSE["data"]["weight"], COURSE["data"]["bias"])
    assert (line.feature_names, line.target_name, line.table) == (("x",), "y", None)


@pytest.mark.parametrize("dtype", list(Precision))
@pytest.mark.parametrize(
    "numbers",
    [(0.7, 0.3, 0.0, 1.0, 0.01), (-2.5, 1e3, -3.0, 7.0, 0.3), (0.0, 0.0, 1.0, 2.0, 0.5), (1.0, 0.0, 0.0, 1.0, 5.0)],
    ids=["hundred", "negative", "flat", "one-point"],
)
def test_other_lines(dtype, numbers):
    weight, bias, start, end, step = numbers
    x = torch.arange(start, end, step, dtype=getattr(torch, dtype))
    line = straight_line(LineSettings(weight=weight, bias=bias, start=start, end=end, step=step), dtype)
    assert np.array_equal(line.features[:, 0], x.double().numpy())
    assert np.array_equal(line.target, (weight * x + bias).double().numpy())
    assert len(line.target) == math.ceil((end - start) / step)


def test_the_sha256_of_a_line_is_that_of_its_values():
    assert straight_line(LineSettings()).sha256 == straight_line(LineSettings()).sha256
    others = [LineSettings(weight=0.71), LineSettings(bias=0.31), LineSettings(end=0.97), LineSettings(step=0.021)]
    lines = [
        straight_line(LineSettings()),
        straight_line(LineSettings(), Precision.FLOAT64),
        *map(straight_line, others),
    ]
    assert len({line.sha256 for line in lines}) == 6


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"step": 0.0}, "got start 0.0, end 1.0, step 0.0, .*expected finite numbers, start < end and a step above 0"),
        ({"step": -0.1}, "step -0.1"),
        ({"step": math.nan}, "step nan"),
        ({"step": math.inf}, "step inf"),
        ({"end": 0.0}, "end 0.0"),
        ({"end": -1.0}, "end -1.0"),
        ({"start": math.nan}, "start nan"),
        ({"end": math.inf}, "end inf"),
        ({"weight": math.inf}, "weight inf"),
        ({"bias": -math.inf}, "bias -inf"),
        ({"step": 9e-8}, "a step of 9e-08 gives 1.11e[+]07 points, expected at most 10000000"),
        ({"step": 5e-324}, "gives inf points"),
        ({"start": -1e308, "end": 1e308}, "gives inf points"),
        ({"weight": 1e39}, "weight 1e[+]39 and bias 0.3 give values beyond float32"),
        ({"bias": -1e39}, "bias -1e[+]39 give values beyond float32"),
        ({"start": 1e39, "end": 2e39, "step": 1e38}, "beyond float32"),
        ({"start": 1e9, "end": 1e9 + 1}, "float32 knows one point; move it towards 0, or use float64"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_lines_that_are_refused(changed, match):
    with pytest.raises(DataError, match=f"^line: .*{match}"):
        straight_line(LineSettings(**changed))


def test_float64_takes_lines_that_float32_refuses():
    assert straight_line(LineSettings(weight=1e39), Precision.FLOAT64).target[-1] == 1e39 * 0.98 + 0.3
    far = straight_line(LineSettings(start=1e9, end=1e9 + 1), Precision.FLOAT64)
    assert len(np.unique(far.features)) == 50
    with pytest.raises(DataError, match="beyond float64"):
        straight_line(LineSettings(weight=1e308, end=10.0, step=1.0), Precision.FLOAT64)


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_becomes_a_dataset(tmp_path):
    dataset = table(tmp_path, "b,cafe\u0301,t,a\n1,2,q,3\n4,5,r,6\n,7,s,8\n", features=("a", "b"), target="cafe\u0301")
    assert dataset.features.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert dataset.target.tolist() == [2.0, 5.0]
    assert dataset.feature_names == ("a", "b")
    assert dataset.target_name == dataset.table.target_name == "caf\u00e9"
    assert dataset.sha256 == dataset.table.sha256
    assert dataset.truth is None
    assert dataset.table.complete.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x,y\n1,2\n", "has 1 complete rows, expected at least 2"),
        ("x,y\n1,2\n,3\n4,\n", "has 1 complete rows, expected at least 2"),
        ("x,y\n1,\n,3\n", "has 0 complete rows, expected at least 2"),
        ("x,y\n1,5\n2,5\n3,5.0\n", "the target 'y' is 5 in every row; there is nothing to fit"),
        ("x,y\n1,5\n2,5\n,6\n", "the target 'y' is 5 in every row"),
        ("x,y\n1,1e308\n2,1e308\n", "the target 'y' is 1e[+]308 in every row"),
    ],
    ids=["one-row", "one-complete", "none-complete", "constant", "constant-complete", "constant-huge"],
)
def test_tables_with_nothing_to_fit(tmp_path, text, match):
    with pytest.raises(DataError, match=f"^{tmp_path / 'table.csv'}: {match}"):
        table(tmp_path, text)


def test_two_rows_are_enough(tmp_path):
    assert table(tmp_path, "x,y\n1,2\n2,3\n").target.tolist() == [2.0, 3.0]


def test_a_target_whose_range_overflows_is_not_constant(tmp_path):
    dataset = table(tmp_path, "x,y\n1,1.7e308\n2,-1.7e308\n")
    assert split(dataset, (1.0,), shuffle_seed=None).train.target.tolist() == [1.7e308, -1.7e308]


def test_a_target_that_is_constant_in_the_training_part(tmp_path):
    dataset = table(tmp_path, "x,y\n1,5\n2,5\n3,5\n4,5\n5,6\n")
    with pytest.raises(DataError, match=r"^the target 'y' is constant in the training part; use another --seed"):
        split(dataset, parse_split("0.8"), shuffle_seed=None)
    assert sizes(split(dataset, (1.0,), shuffle_seed=None)) == {"train": 5}


def test_a_flat_line_may_be_split():
    assert sizes(split(straight_line(LineSettings(weight=0.0)), (0.8, 0.2), shuffle_seed=None)) == {
        "train": 40,
        "test": 10,
    }


# ---- the split -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fractions"),
    [("0.8", (0.8, 0.2)), ("1", (1.0,)), ("1.0", (1.0,)), (".5", (0.5, 0.5)), ("0.7/0.15/0.15", (0.7, 0.15, 0.15))],
    ids=["two", "one", "one-float", "half", "three"],
)
def test_splits_that_are_read(text, fractions):
    assert parse_split(text) == pytest.approx(fractions, rel=0, abs=1e-15)
    assert len(parse_split(text)) == len(fractions)


REFUSED = """
/ a 0 -0.5 1.1 80 80% nan inf 1e-400 0.7,0.3 0.8/ 0.5/0.5 1/0/0 0.5/0.5/0 0.7/0.2/0.2 0.7/0.15/0.1 nan/0.5/0.5
0.5/nan/0.5 1.5/-0.25/-0.25 0.4/0.3/0.2/0.1
"""


@pytest.mark.parametrize("text", ["", *REFUSED.split()])
def test_splits_that_are_refused(text):
    with pytest.raises(DataError) as caught:
        parse_split(text)
    assert str(caught.value) == (
        f"--split: got {text!r}, expected a train fraction such as 0.8, "
        "train/validation/test such as 0.7/0.15/0.15, or 1"
    )


@pytest.mark.parametrize(
    ("rows", "text", "expected"),
    [
        (50, "0.8", {"train": 40, "test": 10}),
        (100, "0.8", {"train": 80, "test": 20}),
        (100, "0.29", {"train": 29, "test": 71}),
        (100, "0.7/0.15/0.15", {"train": 70, "validation": 15, "test": 15}),
        (10, "0.7/0.2/0.1", {"train": 7, "validation": 2, "test": 1}),
        (342, "0.8", {"train": 273, "test": 69}),
        (2, "0.8", {"train": 1, "test": 1}),
        (3, "0.4/0.3/0.3", {"train": 1, "validation": 1, "test": 1}),
        (7, "1", {"train": 7}),
    ],
)
@pytest.mark.parametrize("seed", [None, 42], ids=["ordered", "shuffled"])
def test_sizes_of_parts(rows, text, expected, seed):
    parts = split(numbered(rows), parse_split(text), shuffle_seed=seed)
    assert sizes(parts) == expected
    assert (parts.validation is None) == ("validation" not in expected)
    assert (parts.test is None) == ("test" not in expected)


@settings(max_examples=300, deadline=None)
@given(rows=st.integers(2, 3000), hundredths=st.integers(1, 99), second=st.integers(1, 98))
def test_sizes_are_those_of_exact_fractions(rows, hundredths, second):
    """The cut is the floor of the decimal fraction as it was typed: its float64 rounding must not move it."""
    texts = [f"{hundredths / 100:.2f}"]
    if hundredths + second < 100:
        texts.append(f"{hundredths / 100:.2f}/{second / 100:.2f}/{(100 - hundredths - second) / 100:.2f}")
    for text in texts:
        pieces = [Fraction(piece) for piece in text.split("/")]
        ends = [math.floor(sum(pieces[: place + 1]) * rows) for place in range(max(1, len(pieces) - 1))]
        expected = np.diff([0, *ends, rows]).tolist()
        if min(expected) == 0:
            with pytest.raises(DataError, match="rows give parts of"):
                split(numbered(rows), parse_split(text), shuffle_seed=None)
        else:
            assert list(sizes(split(numbered(rows), parse_split(text), shuffle_seed=None)).values()) == expected


@pytest.mark.parametrize(("rows", "text"), [(2, "0.4"), (1, "0.8"), (10, "0.95/0.01/0.04"), (0, "1")])
def test_a_part_without_rows_is_refused(rows, text):
    with pytest.raises(DataError, match=rf"^--split: {rows} rows give parts of [0-9/]+ rows; choose other fractions"):
        split(numbered(rows), parse_split(text), shuffle_seed=None)


def test_without_a_shuffle_the_order_is_kept():
    parts = split(numbered(10), (0.5, 0.2, 0.3), shuffle_seed=None)
    assert [part.target.tolist() for _, part in parts.items()] == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]
    assert [name for name, _ in parts.items()] == ["train", "validation", "test"]


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(3, 60), seed=st.integers(0, 2**63 - 1))
def test_a_shuffle_is_a_permutation_that_keeps_rows_together(rows, seed):
    parts = split(numbered(rows), (0.4, 0.2, 0.4) if rows > 5 else (0.5, 0.5), shuffle_seed=seed)
    target = np.concatenate([part.target for _, part in parts.items()])
    features = np.concatenate([part.features for _, part in parts.items()])
    assert sorted(target.tolist()) == [*range(rows)]
    assert np.array_equal(features, target[:, None] + [0.25, 0.5])


def test_a_shuffle_is_the_same_for_the_same_seed_alone():
    orders = [split(numbered(100), (1.0,), shuffle_seed=seed).train.target.tolist() for seed in (1, 1, 2, 0)]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3
    assert [*range(100)] not in orders


def test_the_shuffle_of_seed_42_stays():
    """The figures of shipped bundles depend on it, and NumPy does not promise it for ever."""
    assert split(numbered(8), (1.0,), shuffle_seed=42).train.target.tolist() == [3, 4, 2, 7, 6, 1, 5, 0]


def test_a_split_leaves_the_dataset_as_it_was():
    dataset = numbered(20)
    before = dataset.features.copy(), dataset.target.copy()
    parts = split(dataset, (0.8, 0.2), shuffle_seed=3)
    parts.train.features[:] = 0
    parts.train.target[:] = 0
    assert np.array_equal(dataset.features, before[0])
    assert np.array_equal(dataset.target, before[1])


# ---- the scaler ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", [True, False], ids=["centred", "not-centred"])
def test_the_scaler_is_mean_and_deviation(centre):
    generator = np.random.default_rng(5)
    part = Part(features=generator.normal(7, 3, (50, 4)) * [1, 1e6, 1e-6, -1], target=generator.normal(-2, 9, 50))
    scaler = fit_scaler(part, centre=centre)
    for place in range(4):
        column = part.features[:, place].tolist()
        mean = statistics.fmean(column) if centre else 0.0
        assert scaler.feature_mean[place] == pytest.approx(mean, rel=1e-13, abs=0)
        assert scaler.feature_scale[place] == pytest.approx(statistics.pstdev(column, mean), rel=1e-13, abs=0)
    mean = statistics.fmean(part.target.tolist()) if centre else 0.0
    assert scaler.target_mean == pytest.approx(mean, rel=1e-13, abs=0)
    assert scaler.target_scale == pytest.approx(statistics.pstdev(part.target.tolist(), mean), rel=1e-13, abs=0)


def test_the_scaler_knows_the_training_part_only():
    dataset = numbered(50)
    plain = fit_scaler(split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9).train, centre=True)
    parts = split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9)
    seen = set(parts.train.target.astype(int))
    for row in set(range(50)) - seen:
        dataset.features[row] = 1e9
        dataset.target[row] = -1e9
    again = fit_scaler(split(dataset, (0.6, 0.2, 0.2), shuffle_seed=9).train, centre=True)
    assert np.array_equal(plain.feature_mean, again.feature_mean)
    assert np.array_equal(plain.feature_scale, again.feature_scale)
    assert (plain.target_mean, plain.target_scale) == (again.target_mean, again.target_scale)
    assert plain.target_mean == parts.train.target.mean() != dataset.target.mean()


@pytest.mark.parametrize("value", [0.1, 0.0, -1e300, 1e-310], ids=str)
def test_a_constant_column_becomes_zero(value):
    part = Part(features=np.array([[value, 1], [value, 2], [value, 4]]), target=np.array([1.0, 2, 4]))
    scaler = fit_scaler(part, centre=True)
    assert scaler.feature_scale[0] == math.inf
    assert math.isfinite(scaler.feature_scale[1])
    assert ((part.features - scaler.feature_mean) / scaler.feature_scale)[:, 0].tolist() == [0, 0, 0]


def test_a_constant_column_is_used_by_a_model_without_a_bias():
    part = Part(features=np.array([[3.0, 0.0], [3.0, 0.0]]), target=np.array([1.0, 1.0]))
    scaler = fit_scaler(part, centre=False)
    assert scaler.feature_scale.tolist() == [3.0, math.inf]
    assert scaler.target_scale == 1.0
    assert fit_scaler(part, centre=True).target_scale == 1.0


@pytest.mark.parametrize("power", [-320, -300, -200, -150, 0, 100, 150], ids=lambda power: f"1e{power}")
@pytest.mark.parametrize("centre", [True, False], ids=["centred", "not-centred"])
def test_scales_far_from_one(power, centre):
    values = [float(f"{digits}e{power}") for digits in (1, 2, 4, 3.5)]
    scaler = fit_scaler(Part(features=np.array(values)[:, None], target=np.array(values)), centre=centre)
    mean = Fraction(scaler.target_mean)
    assert float(sum(map(Fraction, values)) / 4 if centre else 0) == pytest.approx(float(mean), rel=1e-15, abs=5e-324)
    square = sum((Fraction(value) - mean) ** 2 for value in values) / 4
    expected = Fraction(math.isqrt(int(square * 2**2400)), 2**1200)
    assert scaler.target_scale == pytest.approx(float(expected), rel=1e-14, abs=5e-324)
    assert scaler.feature_scale[0] == scaler.target_scale > 0


@pytest.mark.parametrize("values", [(1e160, 2e160), (-1.7e308, 1.7e308), (1.7e308, 1.6e308), (1.7e308, -1.7e308) * 8])
@pytest.mark.parametrize("where", ["features", "target"])
def test_values_whose_squares_overflow_are_refused(values, where):
    plain = np.arange(float(len(values)))
    parts = {"features": plain[:, None], "target": plain}
    parts[where] = np.array(values).reshape(parts[where].shape)
    with pytest.raises(DataError, match="overflows float64; rescale the columns"):
        fit_scaler(Part(**parts), centre=True)


def test_limit_of_points(monkeypatch):
    monkeypatch.setattr(data, "MAX_LINE_POINTS", 50)
    assert len(straight_line(LineSettings()).target) == 50
    with pytest.raises(DataError, match="gives 100 points, expected at most 50"):
        straight_line(LineSettings(step=0.01))
