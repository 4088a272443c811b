"""Read an exported file to time, with the model in its bundle that it must agree with."""

from dataclasses import dataclass
from pathlib import Path

from bench.plan.subject import Subject
from export.formats.names import RUNTIME_FORMATS, Format, format_of
from export.runners.trust import Trust, trusted_bytes
from linreg.config import MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError
from linreg.manifest import read_listed


@dataclass(frozen=True, kw_only=True)
class ArtifactFile:
    """An artifact, and the model of the bundle that it is in.

    Attributes:
        kind: format of the file.
        data: bytes of the file.
        subject: the model in its bundle.
    """

    kind: Format
    data: bytes
    subject: Subject


def read_artifact(path: Path, *, trust: bool) -> ArtifactFile:
    """Read an artifact without running any of it.

    Args:
        path: path of the file in its bundle, such as `other/model.onnx`.
        trust: accept TorchScript and .pt2 files that this user did not export; they are programs.

    Raises:
        UntrustedError: the artifact is a program that is not trusted.
        LinregError: the file cannot be read, is not an artifact that can be timed, or has no model beside it.
    """
    found = format_of(path.name)
    if found is None or found[0] not in RUNTIME_FORMATS or found[1] is not None:
        raise LinregError(f"{path}: expected an artifact in its bundle, such as other/model.onnx")
    data = read_listed(path.parent, path.name, limit=MAX_STATE_BYTES)
    trusted_bytes(found[0], str(path), data, Trust.from_option(trust))
    if not (path.parent / MODEL_FILE).is_file():
        raise LinregError(f"{path}: there is no {MODEL_FILE} beside it, so its outputs cannot be checked")
    return ArtifactFile(kind=found[0], data=data, subject=Subject(path=str(path.parent)))
