"""Export .pt2, torch.export's own format, without source lines and versions."""

import io
import json

import torch
from torch.export import ExportedProgram

from export.formats.archives import rewrite
from export.formats.quiet import quiet, reason
from export.formats.torchscript import METADATA_RECORD
from export.source.source import Source
from linreg.errors import ExportError


def to_pt2(source: Source, program: ExportedProgram) -> bytes:
    """Export a module to the bytes of a .pt2 archive, with the metadata in the extra file `linreg.json`.

    Args:
        source: module to export.
        program: capture of the module.

    Raises:
        ExportError: torch cannot serialise it.
    """
    buffer = io.BytesIO()
    metadata = json.dumps(source.metadata, ensure_ascii=False, sort_keys=True)
    try:
        with quiet():
            torch.export.save(program, buffer, extra_files={METADATA_RECORD: metadata})
    except Exception as error:  # the serialiser raises its own exception classes
        raise ExportError(f"pt2: torch cannot save the module: {reason(error)}") from error
    return rewrite(buffer.getvalue(), _without_version)


def _without_version(name: str, record: bytes) -> tuple[str, bytes]:
    """Clear the torch version: the manifest has it, and nothing reads it from the archive."""
    if name != "models/model.json":
        return name, record
    return name, json.dumps({**json.loads(record), "torch_version": ""}).encode()
