"""One Ray of two workers for the tests that change nothing about it."""

from collections.abc import Iterator

import pytest

from linreg.engines.ray_cluster import RayEngine, ray_cluster


@pytest.fixture(scope="session")
def two_workers() -> Iterator[RayEngine]:
    with ray_cluster(None, 2) as engine:
        yield engine
