"""Save and reload a model: model.pth holds a plain state_dict, and card.json beside it describes the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from linreg.card import Card, card_from_json
from linreg.changes import read_settled
from linreg.config import CARD_FILE, MAX_JSON_BYTES, MODEL_FILE, Architecture, Precision
from linreg.errors import ModelError
from linreg.files import json_bytes, parse_json
from linreg.manifest import Manifest, read_listed, read_manifest
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, make_model, recognise
from linreg.module_card import is_module_card
from linreg.state_dict import StateDict, describe_state, state_bytes, state_dict_of, state_sha256
from linreg.state_loading import check_state
from linreg.state_names import as_one_linear, without_wrappers
from linreg.state_reading import load_state, read_state

__all__ = [
    "Checkpoint",
    "check_state",
    "describe_state",
    "load",
    "load_state",
    "read_state",
    "state_bytes",
    "state_sha256",
]

EXPORTED = (".onnx", ".torchscript", ".pt2", ".c", ".h")
"""Suffixes of exported files."""

OUR_NAMES = ("weights", "bias", "linear_layer.weight", "linear_layer.bias")

ANOTHER_WAY = (
    "to export your own module, use: linreg export --module FILE.py:NAME --state-dict FILE "
    "--input x=float32[batch,SIZE] -o BUNDLE"
)


OF_A_MODULE = (
    "is the state_dict of a module that was exported with --module; create that module by its own "
    "code, and load the file into it: module.load_state_dict(torch.load(FILE, weights_only=True))"
)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A reloaded model.

    Attributes:
        model: the model, on the CPU and in eval mode.
        card: its card; None for a bare .pth.
        path: path of the state_dict.
        state_sha256: SHA-256 that identifies the weights.
        notes: what was left out, stripped, renamed or converted while reading; empty if the file is the model's own
            state_dict.
    """

    model: LinearRegressionModel | LinearRegressionModelV2
    card: Card | None
    path: Path
    state_sha256: str
    notes: tuple[str, ...] = ()


def files_of(model: LinearRegressionModel | LinearRegressionModelV2, card: Card | None) -> dict[str, bytes]:
    """Return the files to save, by name: the bytes of `model.pth` and, if there is a card, of `card.json`."""
    described = {} if card is None else {CARD_FILE: json_bytes(asdict(card))}
    return {MODEL_FILE: model_bytes(model), **described}


def model_bytes(model: LinearRegressionModel | LinearRegressionModelV2) -> bytes:
    """Serialise the state_dict of one of our models, without module versions: our layers have only one version."""
    return state_bytes(dict(model.state_dict()))


def load(path: Path) -> Checkpoint:
    """Reload a bundle, or a bare .pth whose architecture is recognised by its keys.

    Raises:
        ModelError: the file is damaged, is not a state_dict of our models, or contradicts its card.
        MismatchError: the file or the card differs from the manifest of its folder.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    manifest = read_manifest(file.parent)
    state = load_state(file, manifest)
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
    with torch.random.fork_rng(devices=[]):
        model = make_model(Architecture(architecture), features, bias=bias, dtype=dtype)
    check_state(state, model.state_dict())
    model.load_state_dict(state)
    digest = state_sha256(state)
    if card is not None and card.state_sha256 != digest:
        raise ModelError("does not hold the weights that its card names; train again, or restore the card")
    return Checkpoint(model=model.eval(), card=card, path=file, state_sha256=digest, notes=state.notes)


def _ours(state: StateDict) -> StateDict:
    """Convert the state_dict of a single nn.Linear to our names, and widen float16 and bfloat16 to float32."""
    state = without_wrappers(state, OUR_NAMES)
    if not set(state) & set(OUR_NAMES[2:]):
        state = as_one_linear(state) or state
    dtypes = {tensor.dtype for tensor in state.values()}
    if len(dtypes) != 1 or not dtypes <= {torch.float16, torch.bfloat16}:
        return state
    note = f"{str(dtypes.pop()).removeprefix('torch.')} is widened to float32"
    return state_dict_of({key: tensor.float() for key, tensor in state.items()}, None, (*state.notes, note))


def _dtype_of(state: Mapping[str, Tensor], card: Card | None) -> torch.dtype:
    dtype = next(iter(state.values())).dtype
    if dtype not in (torch.float32, torch.float64):
        raise ModelError(f"its tensors are {dtype}, expected torch.float32 or torch.float64")
    if card is not None and str(dtype) != f"torch.{card.dtype}":
        raise ModelError(f"its tensors are {dtype}, but its card says {Precision(card.dtype)}")
    return dtype
