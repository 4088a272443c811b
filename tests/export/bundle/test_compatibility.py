from itertools import pairwise

import pytest

from export.bundle.compatibility import OLDEST_ONNXRUNTIME, oldest_onnxruntime


@pytest.mark.parametrize(
    ("opset", "version"),
    [(13, "1.15.1"), (18, "1.15.1"), (19, "1.16.3"), (20, "1.17.3"), (21, "1.18.1"), (22, "1.22.1"), (25, "1.32.0")],
)
def test_the_oldest_version_that_was_run(opset, version):
    assert oldest_onnxruntime(opset) == version


def test_nothing_is_claimed_of_what_was_not_run():
    assert oldest_onnxruntime(27) == "unknown"


def test_later_opsets_need_later_versions():
    numbers = [tuple(map(int, OLDEST_ONNXRUNTIME[opset].split("."))) for opset in sorted(OLDEST_ONNXRUNTIME)]
    assert all(before < after for before, after in pairwise(numbers))
