"""A file that holds anything but a plain state_dict of ours is refused, and no code in it is run."""

import os
import pickle
import subprocess
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from linreg.checkpoint import load
from linreg.errors import ModelError
from linreg.models import LinearRegressionModel, LinearRegressionModelV2
from linreg.state_loading import check_state
from tests.checkpoints import put, refused, told, v1, v2


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.pth")
    assert "no such file" in refused(tmp_path)
    (tmp_path / "model.pth").mkdir()
    assert "is a folder" in refused(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    assert "is not a regular file" in refused(tmp_path / "pipe.pth")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.pth").open("wb") as stream:
        stream.truncate(65 * 2**30)
    assert "has 69793218560 bytes, expected at most 68719476736" in refused(tmp_path / "huge.pth")


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "inside", "key"])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, kind: str) -> None:
    ran, path = tmp_path / "ran", tmp_path / "evil.pth"
    payload: Any = Payload(ran)
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"weights": payload}))
    else:
        state = {"weights": torch.zeros(1), "bias": torch.zeros(1)}
        content = {"inside": {**state, "more": payload}, "key": {**state, payload: 1}}.get(kind, payload)
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    refused(path)
    assert not ran.exists()
    # The payload is alive: only the way it is loaded keeps it from running.
    if kind == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert ran.exists()


def test_a_whole_module(tmp_path: Path) -> None:
    path = put(tmp_path / "net.pth", nn.Linear(1, 1))
    message = told(path)
    assert "is not a plain state_dict but a whole module" in message
    assert message.endswith("save model.state_dict() and nothing else")
    # The two lines of Python that the message shows do what it says.
    lines = message.partition("if you trust it: ")[2].partition("; otherwise save")[0]
    exec(lines.replace("'weights.pth'", repr(str(tmp_path / "weights.pth"))), {})
    assert load(tmp_path / "weights.pth").model.linear_layer.in_features == 1


def test_a_torchscript_archive(tmp_path: Path) -> None:
    script: Any = torch.jit.script(LinearRegressionModelV2(2))
    script.save(tmp_path / "net.pth")
    assert "is a TorchScript archive, not a state_dict; name the .pth instead" in refused(tmp_path / "net.pth")


@pytest.mark.parametrize("content", [[1, 2], (torch.zeros(1),), torch.zeros(3), 7, "text", None, {}, OrderedDict()])
def test_what_is_no_dictionary(tmp_path: Path, content: object) -> None:
    message = refused(put(tmp_path / "net.pth", content))
    assert f"holds {type(content).__name__}, expected a state_dict" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": 1.0, "bias": torch.zeros(1)}, "'weights' is float, expected a tensor by name"),
        ({"state": {"weights": 1}}, "'state' is dict, expected a tensor by name"),
        ({1: torch.zeros(1)}, "a key of type int is Tensor, expected a tensor by name"),
        ({("k",) * 9: torch.zeros(1)}, "a key of type tuple is Tensor, expected a tensor by name"),
        ({"k" * 1000: 1}, f"'{'k' * 60}' is int, expected a tensor by name"),
    ],
)
def test_what_is_no_tensor_by_name(tmp_path: Path, content: object, message: str) -> None:
    assert refused(put(tmp_path / "net.pth", content)).endswith(message)


STATES = [
    ({"weight": torch.ones(1), "bias": torch.ones(1)}, "its keys are 'bias', 'weight', expected 'weights' and"),
    (v1(more=torch.ones(1)), "its keys are 'bias', 'more', 'weights', expected"),
    ({"linear_layer.bias": torch.ones(1)}, "its keys are 'linear_layer.bias', expected"),
    ({f"k{place:05}": torch.ones(1) for place in range(2000)}, "'k00003', 'k00004' ..., expected"),
    (v1(weights=torch.ones(2)), "'weights' is torch.float32 of shape (2,), expected torch.float32 of shape (1,)"),
    (v1(weights=torch.tensor(1.0)), "'weights' is torch.float32 of shape (), expected torch.float32 of shape (1,)"),
    (v1(bias=torch.ones(1, 1)), "'bias' is torch.float32 of shape (1, 1), expected"),
    (
        v2(torch.ones(2, 3)),
        "'linear_layer.weight' is torch.float32 of shape (2, 3), expected torch.float32 of shape (1,",
    ),
    (v2(torch.ones(3)), "its keys are 'linear_layer.bias', 'linear_layer.weight', expected"),
    (v2(torch.ones(1, 0)), "its keys are"),
    (v2(torch.ones(1, 3), torch.ones(3)), "'linear_layer.bias' is torch.float32 of shape (3,), expected"),
    (v1(bias=torch.ones(1, dtype=torch.float64)), "'bias' is torch.float64 of shape (1,), expected torch.float32"),
    (v2(torch.ones(1, 3, dtype=torch.float64)), "'linear_layer.bias' is torch.float32 of shape (1,), expected torch.f"),
    (v1(weights=torch.ones(1, dtype=torch.float16)), "its tensors are torch.float16, expected torch.float32 or"),
    (v1(weights=torch.ones(1, dtype=torch.bfloat16)), "its tensors are torch.bfloat16, expected"),
    (v1(weights=torch.ones(1, dtype=torch.int64)), "its tensors are torch.int64, expected"),
    (v1(weights=torch.ones(1, dtype=torch.bool)), "its tensors are torch.bool, expected"),
    (v1(weights=torch.ones(1, dtype=torch.complex64)), "its tensors are torch.complex64, expected"),
    (v1(bias=torch.ones(1, dtype=torch.complex64)), "'bias' is torch.complex64 of shape (1,), expected"),
    (v1(weights=torch.full((1,), torch.nan)), "'weights' holds NaN or infinity; train again with a smaller --lr"),
    (v1(bias=torch.full((1,), -torch.inf)), "'bias' holds NaN or infinity; train again with a smaller --lr"),
    (v2(torch.tensor([[1.0, 2.0, torch.nan]])), "'linear_layer.weight' holds NaN or infinity"),
    (v1(weights=torch.ones(1).to_sparse()), "'weights' is not a dense tensor; save model.state_dict() of an ordinary"),
    (v2(torch.ones(1, 3).to_sparse_coo()), "'linear_layer.weight' is not a dense tensor"),
    (v1(weights=torch.ones(1, device="meta")), "'weights' is not a dense tensor"),
    (v1(weights=torch.ones(1).expand(10**9)), "'weights' claims more numbers than it stores; the file is damaged"),
    (v2(torch.ones(1, 1).expand(1, 25 * 10**9)), "'linear_layer.weight' claims more numbers than it stores; the"),
    (v2(torch.ones(1, 3), torch.ones(1).expand(10**9)), "'linear_layer.bias' claims more numbers than it stores"),
]


@pytest.mark.parametrize(("state", "message"), STATES, ids=[message for _, message in STATES])
def test_states_that_are_not_ours(tmp_path: Path, state: dict[str, Tensor], message: str) -> None:
    path = put(tmp_path / "net.pth", state)
    assert f"{path}: {message}" in refused(path) or (message.startswith("'k0") and message in refused(path))


def test_quantised_weights(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weight = torch.quantize_per_tensor(torch.ones(1), 0.1, 0, torch.qint8)
        with pytest.raises(ModelError, match="'weights' is not a dense tensor"):
            load(put(tmp_path / "net.pth", v1(weights=weight)))


def test_a_huge_view_costs_no_memory(tmp_path: Path) -> None:
    """A file of 1 kB claims 100 GB: with 4 GB of address space left it is still refused in one line."""
    path = put(tmp_path / "net.pth", v2(torch.ones(1, 1).expand(1, 25 * 10**9)))
    program = """
import resource, sys
from pathlib import Path
from linreg.checkpoint import load
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 4 * 2**30, used + 4 * 2**30))
try:
    load(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == "ModelError\n"


def test_check_state_names_what_differs() -> None:
    expected = LinearRegressionModel().state_dict()
    check_state(v1(), expected)
    with pytest.raises(ModelError, match=r"missing \['bias'\], unexpected \['more'\]"):
        check_state({"weights": torch.ones(1), "more": torch.ones(1)}, expected)
    with pytest.raises(ModelError, match="claims more numbers than it stores"):
        check_state(v1(weights=torch.ones(1).expand(10**9)), expected)


@pytest.mark.parametrize(
    "state",
    [
        v2(torch.arange(6.0).reshape(3, 2).T[:1]),  # not contiguous
        v2(torch.ones(100)[3:6].reshape(1, 3)),  # a part of a larger storage
        v2(nn.Parameter(torch.ones(1, 3))),
    ],
)
def test_harmless_twins_are_read(tmp_path: Path, state: dict[str, Tensor]) -> None:
    read = load(put(tmp_path / "net.pth", state))
    for key, value in state.items():
        assert torch.equal(read.model.state_dict()[key], value)
