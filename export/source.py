"""What is exported: a module in eval mode, its inputs, the names of its outputs, and its metadata."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from linreg.checkpoint import Checkpoint
from linreg.errors import ExportError
from linreg.models import Affine, affine_of

Array = NDArray[Any]

INPUT_NAME = "input"
OUTPUT_NAME = "output"


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a module.

    Attributes:
        name: in the graph.
        dtype: such as float32.
        shape: a size for each axis; None for the batch.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def random(self, batch: int, scale: float, generator: np.random.Generator) -> Array:
        """Normally distributed numbers times `scale`."""
        shape = tuple(batch if size is None else size for size in self.shape)
        return (generator.standard_normal(shape) * scale).astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Source:
    """All that an exporter needs.

    Attributes:
        module: on the CPU, in eval mode.
        affine: the affine map that the module is.
        inputs: one for each argument of forward.
        output_names: of the graph.
        metadata: JSON values by key (without the prefix `linreg.`), the same on every machine.
        state_sha256: the identity of the weights.
    """

    module: nn.Module
    affine: Affine
    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    metadata: dict[str, object]
    state_sha256: str

    def random_inputs(self, batch: int, scale: float, seed: int) -> tuple[Array, ...]:
        """Random values for every input, the same for the same seed."""
        generator = np.random.default_rng(seed)
        return tuple(entry.random(batch, scale, generator) for entry in self.inputs)


def from_checkpoint(checkpoint: Checkpoint) -> Source:
    """The source of a reloaded model.

    Raises:
        ExportError: the model is not affine.
    """
    affine = affine_of(checkpoint.model)
    if affine is None:
        raise ExportError(f"{checkpoint.path}: is not an affine model; expected one that linreg trained")
    metadata: dict[str, object] = {"state_sha256": checkpoint.state_sha256}
    if checkpoint.card is not None:
        metadata |= {"features": list(checkpoint.card.features), "target": checkpoint.card.target}
    return Source(
        module=checkpoint.model,
        affine=affine,
        inputs=(Input(name=INPUT_NAME, dtype=affine.weight.dtype, shape=(None, affine.weight.shape[1])),),
        output_names=(OUTPUT_NAME,),
        metadata=metadata,
        state_sha256=checkpoint.state_sha256,
    )


def metadata_text(source: Source) -> dict[str, str]:
    """The metadata as it stands in a file: `linreg.` keys in order, JSON values."""
    return {
        f"linreg.{key}": json.dumps(value, ensure_ascii=False, sort_keys=True)
        for key, value in sorted(source.metadata.items())
    }
