"""Rows ready to be run, as a benchmark prepares them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.plan.preparation import Prepared, mark_unavailable, prepare_variants, provide_files
from bench.plan.variants import REFERENCE, Device, Origin, Variant
from export.source.source import Source


def prepare(
    variants: Iterable[Variant],
    source: Source,
    bundle: Path | None,
    folder: Path,
    *,
    device: Device = Device.CPU,
    reference: str = REFERENCE,
    given: Mapping[str, Origin | str] = {},
    trust: bool = False,
) -> Prepared:
    """Put the files of all variants into the work folder, and part the rows."""
    marked = mark_unavailable(variants, device)
    files = provide_files(marked, source, bundle, folder, given=given, trust=trust)
    return prepare_variants(marked, files, device=device, reference=reference)
