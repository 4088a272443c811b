"""Where torch is missing, a state_dict that only torch reads: torch is named if it would help, and why."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from linreg.errors import ModelError
from linreg.pth import pth_bytes, read_pth
from linreg.state_arrays import load_arrays
from linreg.state_pickle import NotPlainError
from linreg.state_reading import read_state
from tests.linreg.test_pth import archive
from tests.linreg.test_safetensors import written
from tests.state_files import saved

STATE = {"weights": torch.tensor([0.7]), "bias": torch.tensor([0.3])}
WHOLE = pth_bytes({"weights": np.array([0.7]), "bias": np.array([0.3])})


def load_without_torch(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Load a file where torch cannot be imported; return the message of the error."""
    with monkeypatch.context() as changed, pytest.raises(ModelError) as caught:
        changed.delitem(sys.modules, "linreg.state_reading")
        changed.setitem(sys.modules, "torch", None)
        load_arrays(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (saved({name: values.bfloat16() for name, values in STATE.items()}), "it holds 'torch.BFloat16Storage'"),
        (saved({"model": STATE, "epoch": 3}), "it holds more than tensors by name"),
        (written(STATE), "it is in the format of safetensors"),
    ],
    ids=["bfloat16", "checkpoint", "safetensors"],
)
def test_torch_is_named_with_the_reason(data, why, tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    assert load_without_torch(path, monkeypatch) == (
        f"{path}: can only be read with torch, which is not installed: {why}; save a float32 or float64 state_dict "
        "alone, with torch.save, or install torch: pip install torch"
    )
    assert load_arrays(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"weights", WHOLE[:-30], WHOLE.replace(np.float64(0.7).tobytes(), b"\0" * 8), WHOLE + b"\0"],
    ids=["empty", "text", "cut off", "flipped", "longer"],
)
def test_a_damaged_file_is_no_reason_to_install_torch(data, tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    with pytest.raises(ModelError) as with_torch:
        read_state(str(path), data)
    assert load_without_torch(path, monkeypatch) == str(with_torch.value)
    assert "install" not in str(with_torch.value)


def test_a_pickle_whose_objects_would_fill_the_memory_is_refused():
    data = archive(b"\x80\x02" + b"(" * 2**25 + b".")
    with pytest.raises(NotPlainError, match="too many instructions"):
        read_pth("file", data)
    with pytest.raises(ModelError, match=r"^file: its data\.pkl has more than 33554432 bytes"):
        read_state("file", data)
