"""The straight line and tables as datasets. Oracles: the course's own torch lines, and its figures."""

import json
import math

import numpy as np
import pytest
import torch

from linreg.config import LineSettings, Precision
from linreg.data import dataset_of_table, split, straight_line
from linreg.errors import DataError
from linreg.reading.tables import read_table
from linreg.split_text import parse_split
from tests.conftest import TESTS
from tests.datasets import sizes

COURSE = json.loads((TESTS / "data" / "course.json").read_text())


def table(folder, text, *, features=None, target="y"):
    path = folder / "table.csv"
    path.write_text(text)
    return dataset_of_table(str(path), read_table(path, features=features, target=target))


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
    assert (line.line.weight, line.line.bias) == (COURSE["data"]["weight"], COURSE["data"]["bias"])
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
        ({"start": 1e9, "end": 1e9 + 1}, "float32 has only one distinct point; move it towards 0, or use float64"),
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
    assert dataset.line is None
    assert dataset.table.complete.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x,y\n1,2\n", "has 1 complete row, expected at least 2"),
        ("x,y\n1,2\n,3\n4,\n", "has 1 complete row, expected at least 2"),
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
