"""`holds` compares a file with contents that are only made, and stops at the first difference."""

import itertools

import pytest

from linreg.errors import LinregError
from linreg.file_comparison import holds
from tests.file_processes import names


@pytest.mark.parametrize(
    ("there", "same"), [(b"abcdef", True), (b"abcde", False), (b"abcdefg", False), (b"abXdef", False), (b"", False)]
)
def test_a_file_holds_its_own_bytes_only(tmp_path, there, same):
    (tmp_path / "file").write_bytes(there)

    def contents(stream):
        for piece in (b"abc", b"", memoryview(b"def")):
            stream.write(piece)

    assert holds(tmp_path / "file", contents) is same
    assert holds(tmp_path / "file", b"abcdef") is same
    assert (tmp_path / "file").read_bytes() == there
    assert names(tmp_path) == ["file"]


def test_the_first_difference_ends_the_comparison(tmp_path):
    (tmp_path / "file").write_bytes(b"aab" + bytes(100))
    made = []

    def contents(stream):
        for place in itertools.count():
            made.append(place)
            stream.write(b"a")

    assert holds(tmp_path / "file", contents) is False
    assert made == [0, 1, 2]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(LinregError, match="cannot be read"):
        holds(tmp_path / "missing", b"")
