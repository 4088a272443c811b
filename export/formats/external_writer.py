"""Write the weights of an ONNX model into a second file, and bind the model to it by its sha256."""

import json
from typing import Any, BinaryIO

import numpy as np

from export.formats.external_data import METADATA_KEY
from linreg.hashed_stream import HashedStream

SINGLE_FILE_BYTES = 1_900_000_000
"""A model with more weights than this gets a second file; protobuf's limit for the whole model is 2^31 - 1 bytes."""

LEAST_BYTES = 1024
"""Smaller tensors stay in the model: shapes and scalars, on which a graph may depend."""

ALIGNMENT = 64


class ExternalWriter:
    """Collects tensors for a second file, and writes them there in order.

    Attributes:
        size: size of the file so far, in bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._tensors: list[tuple[int, Any]] = []

    def add(self, tensor: Any, length: int) -> int:
        """Add a tensor, a NumPy array or any object with a method `numpy()`, and return its offset."""
        offset = -(-self.size // ALIGNMENT) * ALIGNMENT
        self._tensors.append((offset, tensor))
        self.size = offset + length
        return offset

    def write(self, stream: BinaryIO) -> None:
        """Write all tensors to a stream; each is taken from where it is, without a copy of all."""
        end = 0
        for offset, tensor in self._tensors:
            array = tensor if isinstance(tensor, np.ndarray) else tensor.numpy()
            stream.write(bytes(offset - end))
            stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            end = offset + array.nbytes

    def sha256(self) -> str:
        """The SHA-256 of what `write` writes."""
        hashed = HashedStream(None)
        self.write(hashed)  # type: ignore[arg-type]
        return hashed.sha256


def described(writer: ExternalWriter) -> dict[str, str]:
    """The metadata that binds a model to its second file."""
    return {METADATA_KEY: json.dumps({"bytes": writer.size, "sha256": writer.sha256()}, sort_keys=True)}
