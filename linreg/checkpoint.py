"""Save and reload: a plain state_dict in model.pth, and what it means in card.json beside it.

A state_dict is data, but torch reads it with a pickle machine and checks no checksum. So a file is first looked at as
a zip archive (entries stored, names unique, every CRC right), then unpickled with weights_only=True, and then compared
with a fresh instance: keys, shapes, dtypes, finiteness.
"""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linreg.card import Card, card_from_json
from linreg.changes import Changes, changing
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE, Architecture, Precision
from linreg.errors import LinregError, ModelError
from linreg.files import json_bytes, read_bytes, read_json, sha256
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, make_model, recognise


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A reloaded model.

    Attributes:
        model: on the CPU, in eval mode.
        card: None for a bare .pth.
        path: of the state_dict.
        state_sha256: the identity of the weights.
    """

    model: LinearRegressionModel | LinearRegressionModelV2
    card: Card | None
    path: Path
    state_sha256: str


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the sorted (key, dtype, shape, little-endian bytes): the same in whatever file the weights are."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(repr((key, dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state_dict as torch.save writes it; through a buffer, so that no file name gets into the archive."""
    buffer = io.BytesIO()
    torch.save({key: tensor.detach().cpu().contiguous().clone() for key, tensor in state.items()}, buffer)
    return buffer.getvalue()


def save(folder: Path, model: LinearRegressionModel | LinearRegressionModelV2, card: Card) -> None:
    """Write `model.pth` and `card.json` into a bundle: both, or neither."""
    with changing(folder, command="linreg.checkpoint.save") as changes:
        stage(changes, model, card)
        changes.commit()


def stage(changes: Changes, model: LinearRegressionModel | LinearRegressionModelV2, card: Card) -> None:
    """Stage `model.pth` and `card.json`."""
    changes.stage(MODEL_FILE, state_bytes(model.state_dict()))
    changes.stage(CARD_FILE, json_bytes(asdict(card)))


def load(path: Path) -> Checkpoint:
    """Reload a bundle, or a bare .pth, which is recognised by its keys.

    Raises:
        ModelError: the file is no state_dict of ours, is damaged, or is not what its card says.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    state = load_state(file)
    card_path = file.parent / CARD_FILE
    card = card_from_json(card_path, read_json(card_path)) if file.name == MODEL_FILE and card_path.exists() else None
    try:
        architecture, features, bias = recognise(state)
        if card is not None and (architecture, features, bias) != (card.architecture, len(card.features), card.bias):
            raise ModelError(
                f"holds architecture {architecture} with {features} features and {'a' if bias else 'no'} bias, "
                f"but its card says {card.architecture} with {len(card.features)}; train again, or restore the card"
            )
        dtype = _dtype_of(state, card)
        with torch.random.fork_rng(devices=[]):
            model = make_model(Architecture(architecture), features, bias=bias, dtype=dtype)
        check_state(state, model.state_dict())
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from None
    model.load_state_dict(state)
    digest = state_sha256(state)
    if card is not None and card.state_sha256 != digest:
        raise ModelError(f"{file}: holds other weights than its card names; train again, or restore the card")
    return Checkpoint(model=model.eval(), card=card, path=file, state_sha256=digest)


def load_state(path: Path) -> dict[str, Tensor]:
    """Read a state_dict without running code.

    Raises:
        ModelError: the file is damaged, or holds anything but dense tensors by name.
    """
    try:
        data = read_bytes(path, limit=MAX_STATE_BYTES)
    except LinregError as error:
        raise ModelError(str(error)) from None
    _check_archive(path, data)
    try:
        with warnings.catch_warnings():  # what torch warns of, a sparse tensor say, is refused below
            warnings.simplefilter("ignore")
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen classes here, and its text advises to switch the safety off
        raise ModelError(
            f"{path}: is not a plain state_dict ({type(error).__name__}: it holds more than tensors, or is damaged); "
            "save model.state_dict() and nothing else"
        ) from None
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path}: holds {type(state).__name__}, expected a state_dict; save model.state_dict()")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            name = repr(key[:60]) if isinstance(key, str) else f"a key of type {type(key).__name__}"
            raise ModelError(f"{path}: {name} is {type(value).__name__}, expected a tensor by name")
        if (problem := _storage_problem(value)) is not None:
            raise ModelError(f"{path}: {key[:60]!r} {problem}")
    return dict(state)


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare a state_dict with that of a fresh instance: keys, layout, dtypes, shapes, finiteness.

    Raises:
        ModelError: they differ; the message names the first differences.
    """
    missing, surplus = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or surplus:
        raise ModelError(f"keys differ: missing {missing[:5]}, unexpected {[key[:60] for key in surplus[:5]]}")
    for key, wanted in expected.items():
        tensor = state[key]
        if (problem := _storage_problem(tensor)) is not None:
            raise ModelError(f"{key!r} {problem}")
        if tensor.dtype != wanted.dtype or tensor.shape != wanted.shape:
            raise ModelError(
                f"{key!r} is {tensor.dtype} of shape {tuple(tensor.shape)}, "
                f"expected {wanted.dtype} of shape {tuple(wanted.shape)}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ModelError(f"{key!r} holds NaN or infinity; train again with a smaller --lr")


def _storage_problem(tensor: Tensor) -> str | None:
    """What makes a tensor unfit to be looked at: it has no dense numbers, or its shape promises more than are there."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        return "is not a dense tensor; save model.state_dict() of an ordinary model"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "claims more numbers than it stores; the file is damaged or hostile"
    return None


def _dtype_of(state: Mapping[str, Tensor], card: Card | None) -> torch.dtype:
    dtype = next(iter(state.values())).dtype
    if dtype not in (torch.float32, torch.float64):
        raise ModelError(f"its tensors are {dtype}, expected torch.float32 or torch.float64")
    if card is not None and str(dtype) != f"torch.{card.dtype}":
        raise ModelError(f"its tensors are {dtype}, but its card says {Precision(card.dtype)}")
    return dtype


def _check_archive(path: Path, data: bytes) -> None:
    problem = ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if any(name.endswith("/constants.pkl") for name in names):
                problem = "is a TorchScript archive, not a state_dict; name the .pth instead"
            elif len(set(names)) != len(names) or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                problem = "its archive has compressed or repeated entries, which torch.save never writes"
            elif (damaged := archive.testzip()) is not None:
                problem = f"is damaged: the checksum of {damaged!r} is wrong; restore it from a copy"
    except Exception:  # zipfile raises half a dozen classes on damaged archives
        problem = "is not a state_dict of torch.save (torch 1.6 or newer), or is cut off"
    if problem:
        raise ModelError(f"{path}: {problem} (sha256 {sha256(data)[:12]})")


def describe_state(state: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """Name, dtype and shape of every tensor, for people to read."""
    return [
        {"name": key, "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
        for key, value in state.items()
    ]
