"""Save and reload a model: model.pth holds a plain state_dict, and card.json beside it describes the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linreg.affine import NAMES, Affine, affine_of_state, recognise
from linreg.card import Card, card_from_json
from linreg.changes import read_settled
from linreg.config import CARD_FILE, MAX_JSON_BYTES, MODEL_FILE, Precision
from linreg.errors import ModelError
from linreg.json_files import json_bytes, parse_json
from linreg.manifest import Manifest, read_listed, read_manifest
from linreg.module_card_file import is_module_card
from linreg.pth import pth_bytes
from linreg.state_arrays import load_arrays
from linreg.state_dict import StateDict, state_dict_of, state_sha256
from linreg.state_names import as_one_linear, without_wrappers

if TYPE_CHECKING:
    from linreg.models import LinearRegressionModel, LinearRegressionModelV2

EXPORTED = (".onnx", ".torchscript", ".pt2", ".c", ".h", ".mjs", ".mts", ".sql")
"""Suffixes of exported files."""

OUR_NAMES = tuple(name for names in NAMES.values() for name in names)

ANOTHER_WAY = (
    "to export your own module, use: linreg export --module FILE.py:NAME --state-dict FILE "
    "--input x=float32[batch,SIZE] -o BUNDLE"
)


OF_A_MODULE = (
    "is the state_dict of a module that was exported with --module; create that module by its own "
    "code, and load the file into it: module.load_state_dict(torch.load(FILE, weights_only=True))"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A reloaded model.

    Attributes:
        affine: the model as arrays.
        card: its card; None for a bare .pth.
        path: path of the state_dict.
        state_sha256: SHA-256 that identifies the weights.
        notes: what was left out, stripped, renamed or converted while reading; empty if the file is the model's own
            state_dict.
    """

    affine: Affine
    card: Card | None
    path: Path
    state_sha256: str
    notes: tuple[str, ...] = ()

    @cached_property
    def model(self) -> "LinearRegressionModel | LinearRegressionModelV2":
        """The model as a module of torch, on the CPU and in eval mode; it shares the memory of the arrays."""
        from linreg.models import module_of

        return module_of(self.affine)


def files_of(affine: Affine, card: Card | None) -> dict[str, bytes]:
    """Return the files to save, by name: the bytes of `model.pth` and, if there is a card, of `card.json`."""
    described = {} if card is None else {CARD_FILE: json_bytes(asdict(card))}
    return {MODEL_FILE: pth_bytes(affine.state()), **described}


def load(path: Path) -> Checkpoint:
    """Reload a bundle, or a bare .pth whose architecture is recognised by its keys.

    Raises:
        ModelError: the file is damaged, is not a state_dict of our models, or contradicts its card.
        MismatchError: the file or the card differs from the manifest of its folder.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    manifest = read_manifest(file.parent)
    state = load_arrays(file, manifest)
    card = _card(file.parent, manifest) if file.name == MODEL_FILE else None
    if manifest is not None and manifest.of_module and manifest.entry(file.name) is not None:
        raise ModelError(f"{file}: {OF_A_MODULE}")
    try:
        return _rebuilt(file, state, card)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from None


def load_settled(path: Path) -> Checkpoint:
    """Call `load`, after finishing the changes of an interrupted command.

    If the files contradict each other because another command is writing there, wait for it and load again.
    """
    if path.suffix in EXPORTED:
        raise ModelError(f"{path}: is an exported file, which holds no state_dict; load its bundle: {path.parent}")
    return read_settled(path if path.is_dir() else path.parent, lambda: load(path))


def _card(folder: Path, manifest: Manifest | None) -> Card | None:
    path = folder / CARD_FILE
    if not path.exists() and (manifest is None or manifest.entry(CARD_FILE) is None):
        return None
    value = parse_json(path, read_listed(folder, CARD_FILE, limit=MAX_JSON_BYTES, manifest=manifest))
    return None if is_module_card(value) else card_from_json(path, value)


def _rebuilt(file: Path, state: StateDict, card: Card | None) -> Checkpoint:
    """Rebuild a model from its state_dict; if there is a card, it must agree with the unchanged file."""
    if card is None:
        state = _ours(state)
    try:
        architecture, features, bias = recognise(state)
    except ModelError as error:
        raise ModelError(f"{error}; {ANOTHER_WAY}") from None
    if card is not None and (architecture, features, bias) != (card.architecture, len(card.features), card.bias):
        raise ModelError(
            f"holds architecture {architecture} with {features} features and {'a' if bias else 'no'} bias, "
            f"but its card says {card.architecture} with {len(card.features)}; train again, or restore the card"
        )
    dtype = _dtype_of(state, card)
    affine = affine_of_state(_checked(state, dtype, features))
    digest = state_sha256(state)
    if card is not None and card.state_sha256 != digest:
        raise ModelError("does not hold the weights that its card names; train again, or restore the card")
    return Checkpoint(affine=affine, card=card, path=file, state_sha256=digest, notes=state.notes)


def _ours(state: StateDict) -> StateDict:
    """Convert the state_dict of a single nn.Linear to our names, and widen float16 and bfloat16 to float32."""
    state = without_wrappers(state, OUR_NAMES)
    if not set(state) & set(OUR_NAMES[2:]):
        state = as_one_linear(state) or state
    dtypes = {_dtype(values) for values in state.values()}
    if len(dtypes) != 1 or not dtypes <= {"float16", "bfloat16"}:
        return state
    widened = {
        key: values.astype(np.float32) if isinstance(values, np.ndarray) else values.float()
        for key, values in state.items()
    }
    return state_dict_of(widened, None, (*state.notes, f"{dtypes.pop()} is widened to float32"))


def _dtype_of(state: Mapping[str, Any], card: Card | None) -> str:
    dtype = _dtype(next(iter(state.values())))
    if dtype not in ("float32", "float64"):
        raise ModelError(f"its tensors are torch.{dtype}, expected torch.float32 or torch.float64")
    if card is not None and dtype != card.dtype:
        raise ModelError(f"its tensors are torch.{dtype}, but its card says {Precision(card.dtype)}")
    return dtype


def _checked(state: Mapping[str, Any], dtype: str, features: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of one of our models, after checking dtypes, shapes and that all values are finite.

    Raises:
        ModelError: one differs; the message names it.
    """
    arrays = {}
    for key in sorted(state, key=OUR_NAMES.index):
        values, shape = state[key], (1, features) if key == OUR_NAMES[2] else (1,)
        if _dtype(values) != dtype or tuple(values.shape) != shape:
            got = f"torch.{_dtype(values)} of shape {tuple(values.shape)}"
            raise ModelError(f"{key!r} is {got}, expected torch.{dtype} of shape {shape}")
        arrays[key] = np.asarray(values)
        if not np.isfinite(arrays[key]).all():
            raise ModelError(f"{key!r} holds NaN or infinity; train again with a smaller --lr")
    return arrays


def _dtype(values: Any) -> str:
    return str(values.dtype).removeprefix("torch.")
