"""Rows ready to be run, as a benchmark prepares them."""

from collections.abc import Iterable
from pathlib import Path

from bench.plan.preparation import Prepared, prepare_devices
from bench.plan.variants import REFERENCE, Device, Variant
from export.source.source import Source


def prepare(
    variants: Iterable[Variant],
    source: Source,
    bundle: Path | None,
    folder: Path,
    *,
    device: Device = Device.CPU,
    reference: str = REFERENCE,
    provided: Iterable[str] = (),
    trust: bool = False,
) -> Prepared:
    """Put the files of all variants into the work folder, and part the rows."""
    rows = {device: list(variants)}
    return prepare_devices(rows, source, bundle, folder, provided=provided, reference=reference, trust=trust)[device]
