"""The parts of a split and their sizes, and the shuffle. Oracle: exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg.data import split
from linreg.errors import DataError
from linreg.split_text import parse_split
from tests.datasets import numbered, sizes


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
