"""Rule blocks-1: exact parts, block by block. Oracle: exact fractions, and NumPy's permutations cut by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg.block_split import BlockSplit
from linreg.reading.blocks import BLOCK_ROWS
from linreg.split_text import parse_split


def parts_of(split: BlockSplit, rows: int) -> np.ndarray:
    blocks = [(start, min(BLOCK_ROWS, rows - start)) for start in range(0, rows, BLOCK_ROWS)]
    return np.concatenate([split.part_of_row(start, count) for start, count in blocks])


def test_one_fraction_trains_on_every_row():
    assert BlockSplit(fractions=(1.0,), seed=3).part_of_row(0, 10) is None


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(2, 3000), hundredths=st.integers(1, 99), second=st.integers(1, 98), seed=st.integers(0, 2**63))
def test_parts_of_one_block_have_the_sizes_of_exact_fractions(rows, hundredths, second, seed):
    texts = [f"{hundredths / 100:.2f}"]
    if hundredths + second < 100:
        texts.append(f"{hundredths / 100:.2f}/{second / 100:.2f}/{(100 - hundredths - second) / 100:.2f}")
    for text in texts:
        pieces = [Fraction(piece) for piece in text.split("/")]
        ends = [math.floor(sum(pieces[: place + 1]) * rows) for place in range(max(1, len(pieces) - 1))]
        expected = np.diff([0, *ends, rows]).tolist()
        for split in (
            BlockSplit(fractions=parse_split(text), seed=seed),
            BlockSplit(fractions=parse_split(text), rows=rows),
        ):
            assert np.bincount(split.part_of_row(0, rows), minlength=len(expected)).tolist() == expected


@pytest.mark.parametrize("rows", [BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, 3 * BLOCK_ROWS + 12_345])
@pytest.mark.parametrize("text", ["0.8", "0.29", "0.7/0.15/0.15", "0.333/0.333/0.334"])
@pytest.mark.parametrize("seed", [None, 42])
def test_parts_of_several_blocks_are_exact_too(rows, text, seed):
    pieces = [Fraction(piece) for piece in text.split("/")]
    ends = [math.floor(sum(pieces[: place + 1]) * rows) for place in range(max(1, len(pieces) - 1))]
    expected = np.diff([0, *ends, rows]).tolist()
    split = BlockSplit(fractions=parse_split(text), seed=seed, rows=rows)
    assert np.bincount(parts_of(split, rows)).tolist() == expected


def test_without_a_seed_the_order_is_kept():
    split = BlockSplit(fractions=(0.5, 0.2, 0.3), rows=200_000)
    assert parts_of(split, 200_000).tolist() == [0] * 100_000 + [1] * 40_000 + [2] * 60_000


def test_a_block_is_shuffled_by_philox_with_seed_and_block():
    """By hand: the bundles of users depend on it."""
    rows = BLOCK_ROWS + 1000
    got = parts_of(BlockSplit(fractions=(0.8, 0.2), seed=7), rows)
    first = np.random.Generator(np.random.Philox(key=[7, 0])).permutation(BLOCK_ROWS)
    second = BLOCK_ROWS + np.random.Generator(np.random.Philox(key=[7, 1])).permutation(1000)
    of_first, of_both = BLOCK_ROWS * 4 // 5, rows * 4 // 5
    wanted = np.ones(rows)
    wanted[first[:of_first]] = 0
    wanted[second[: of_both - of_first]] = 0
    assert np.array_equal(got, wanted)


def test_the_shuffle_of_seed_42_stays():
    """Figures of shipped bundles depend on it, and NumPy does not promise it for ever."""
    assert BlockSplit(fractions=(0.5, 0.5), seed=42).part_of_row(0, 8).tolist() == [0, 1, 0, 1, 0, 1, 1, 0]
