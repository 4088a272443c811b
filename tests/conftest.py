"""Bundles that many tests read: trained and exported once a session, never written to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

PENGUINS = Path(__file__).parent / "data" / "penguins.csv"
FEATURES = "bill_length_mm,bill_depth_mm,flipper_length_mm"


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle of the exact fit of the penguins, with every artifact."""
    from export.formats import Format
    from linreg.checkpoint import load
    from linreg.commands.export import export_bundle
    from linreg.commands.train import train_table
    from linreg.config import TABLE_DEFAULTS

    bundle = tmp_path_factory.mktemp("penguins")
    train_table(
        PENGUINS, "body_mass_g", FEATURES, TABLE_DEFAULTS, bundle, split_text="0.8", shuffle=True, force=False
    )
    export_bundle(load(bundle), list(Format), None, force=False)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    yield bundle
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before, "a test wrote into the shared bundle"
