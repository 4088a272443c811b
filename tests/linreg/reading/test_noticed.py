"""What is noticed in the blocks of a table, and how the parts that several processes noticed become the whole."""

import numpy as np

from linreg.reading.blocks import BLOCK_ROWS, Block, complete_rows
from linreg.reading.noticed import Noticed

COLUMNS = ([[1.0, -8.0], [np.nan, 2.0]], [[3.0, np.nan], [np.nan, np.nan]], [[2.0, 0.0], [-2.0, 1.0]])


def noticed(*places: int) -> Noticed:
    found = Noticed()
    for place in places:
        values = np.array(COLUMNS[place], order="F")
        found.count(Block(start=place * BLOCK_ROWS, values=values, complete=complete_rows(values)))
    return found


def test_a_block_counts_once_however_often_it_is_read():
    found = noticed(0, 1, 0, 2, 1)
    assert (found.blocks, found.incomplete_rows, found.peaks.tolist()) == (3, 3, [3.0, 8.0])


def test_a_column_without_a_value_has_no_peak():
    assert noticed().peaks.tolist() == []
    peaks = Noticed()
    empty = np.array([[1.0, np.nan]], order="F")
    peaks.count(Block(start=0, values=empty, complete=complete_rows(empty)))
    np.testing.assert_array_equal(peaks.peaks, [1.0, np.nan])


def test_what_processes_notice_in_their_ranges_adds_up_to_the_whole():
    whole = noticed(0, 1, 2)
    here, there = whole.within(0, BLOCK_ROWS), whole.within(BLOCK_ROWS, None)
    assert (here.blocks, here.incomplete_rows, here.peaks.tolist()) == (1, 1, [1.0, 8.0])
    assert (there.blocks, there.incomplete_rows, there.peaks.tolist()) == (2, 2, [3.0, 1.0])
    here.add(there)
    assert (here.blocks, here.incomplete_rows, here.peaks.tolist()) == (3, 3, [3.0, 8.0])
