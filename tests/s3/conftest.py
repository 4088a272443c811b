"""One server a session, and the table that the tests store in it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from tests.s3.server import Store, running

ROWS = 3000


@pytest.fixture(scope="session")
def server() -> Iterator[Store]:
    with running() as store:
        yield store


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    """The server, as commands find it in their environment; it holds no object, and nothing was asked of it."""
    settings = {
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    server.reset()
    return server


@pytest.fixture(scope="session")
def numbers():
    """The table: an identity, two features, a target."""
    random = np.random.default_rng(13)
    x, z = random.standard_normal((2, ROWS)).round(3)
    y = (2 * x - z + random.standard_normal(ROWS)).round(3)
    return pa.table({"id": np.arange(ROWS), "x": x, "z": z, "y": y})


@pytest.fixture(scope="session")
def text(numbers):
    """The table as a CSV."""
    return numbers.to_pandas().to_csv(index=False).encode()
