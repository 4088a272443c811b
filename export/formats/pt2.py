"""The .pt2 format of torch.export: the capture as torch saves it, without source lines and versions."""

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
    """Return the bytes of a .pt2 archive, with the metadata in the extra file `linreg.json`.

    Args:
        source: the module to export.
        program: the capture of the module.

    Raises:
        ExportError: torch cannot serialise the capture.
    """
    buffer = io.BytesIO()
    metadata = json.dumps(source.metadata, ensure_ascii=False, sort_keys=True)
    try:
        with quiet():
            torch.export.save(program, buffer, extra_files={METADATA_RECORD: metadata})
    except Exception as error:  # the serialiser raises private classes
        raise ExportError(f"pt2: torch cannot save the module: {reason(error)}") from error
    return rewrite(buffer.getvalue(), _without_version)


def _without_version(name: str, record: bytes) -> tuple[str, bytes]:
    """Remove torch's version, which the manifest records and which nothing reads from the archive."""
    if name != "models/model.json":
        return name, record
    return name, json.dumps({**json.loads(record), "torch_version": ""}).encode()
