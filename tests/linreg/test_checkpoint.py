"""Save and reload: the same bits, and nothing but a plain state_dict of ours."""

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linreg.card import Card
from linreg.checkpoint import (
    check_state,
    describe_state,
    load,
    load_state,
    save,
    state_bytes,
    state_sha256,
)
from linreg.config import LINE_DEFAULTS, Architecture, LineSettings, Precision
from linreg.errors import ModelError
from linreg.inference import predict
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, make_model, torch_dtype

Model = LinearRegressionModel | LinearRegressionModelV2


def card_of(model: Model, **changed: Any) -> Card:
    parameter = isinstance(model, LinearRegressionModel)
    features = 1 if isinstance(model, LinearRegressionModel) else model.linear_layer.in_features
    values: dict[str, Any] = {
        "architecture": Architecture.PARAMETER if parameter else Architecture.LINEAR,
        "features": tuple(f"x{place}" for place in range(features)),
        "target": "y",
        "bias": len(list(model.parameters())) == 2,
        "dtype": Precision(str(next(model.parameters()).dtype).removeprefix("torch.")),
        "state_sha256": state_sha256(model.state_dict()),
        "data": {"kind": "line", "line": asdict(LineSettings()), "split": "0.8", "shuffled": False, "sha256": "1"},
        "training": {**asdict(LINE_DEFAULTS), "lr": 0.01},
        "coefficients": [],
        "metrics": {},
        "history": [],
    }
    return Card(**{**values, **changed})


def rows(features: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(size=(50, features)) * 1e3


MODELS = [
    (architecture, features, bias, precision)
    for architecture, features, bias in [
        (Architecture.PARAMETER, 1, True),
        (Architecture.LINEAR, 1, True),
        (Architecture.LINEAR, 13, True),
        (Architecture.LINEAR, 13, False),
    ]
    for precision in Precision
]


# Save and reload


@pytest.mark.parametrize(("architecture", "features", "bias", "precision"), MODELS)
@pytest.mark.parametrize("bare", [False, True])
def test_reloaded_bit_for_bit(
    tmp_path: Path, architecture: Architecture, features: int, bias: bool, precision: Precision, bare: bool
) -> None:
    model = make_model(architecture, features, bias=bias, dtype=torch_dtype(precision))
    card = card_of(model)
    save(tmp_path, model, card)
    path = tmp_path
    if bare:
        path = tmp_path / "other.pth"
        (tmp_path / "model.pth").rename(path)
    read = load(path)
    assert read.card == (None if bare else card)
    assert read.path == (path if bare else tmp_path / "model.pth")
    assert type(read.model) is type(model)
    assert not read.model.training
    assert read.state_sha256 == card.state_sha256
    for key, value in model.state_dict().items():
        other = read.model.state_dict()[key]
        assert other.dtype == value.dtype
        assert other.numpy().tobytes() == value.numpy().tobytes()
    assert predict(read.model, rows(features)).tobytes() == predict(model, rows(features)).tobytes()


def test_special_numbers_survive(tmp_path: Path) -> None:
    values = torch.tensor([[-0.0, 1e-45, torch.finfo(torch.float32).max, 0.1, -1.5]])
    model = LinearRegressionModelV2(5)
    model.load_state_dict({"linear_layer.weight": values, "linear_layer.bias": torch.tensor([-0.0])})
    save(tmp_path, model, card_of(model))
    state = load(tmp_path).model.state_dict()
    assert state["linear_layer.weight"].numpy().tobytes() == values.numpy().tobytes()
    assert state["linear_layer.bias"].numpy().tobytes() == np.float32(-0.0).tobytes()


def test_torch_itself_reads_the_file_into_a_fresh_instance(tmp_path: Path) -> None:
    model = LinearRegressionModelV2(3)
    save(tmp_path, model, card_of(model))
    fresh = LinearRegressionModelV2(3)
    fresh.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True))
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in model.state_dict().items())


def test_what_torch_save_itself_wrote_is_read(tmp_path: Path) -> None:
    model = LinearRegressionModel()
    torch.save(model.state_dict(), tmp_path / "net.pth")
    read = load(tmp_path / "net.pth")
    assert isinstance(read.model, LinearRegressionModel)
    assert read.state_sha256 == state_sha256(model.state_dict())


def test_the_bytes_depend_on_the_weights_alone(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
import torch
from linreg.checkpoint import state_bytes
from linreg.models import LinearRegressionModelV2
torch.manual_seed(0)
data = state_bytes(dict(LinearRegressionModelV2(3).state_dict()))
Path(sys.argv[1]).write_bytes(data)
"""
    far = tmp_path / "a folder" / "deep"
    far.mkdir(parents=True)
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(far / "other name.bin")], check=True, cwd=far)
    torch.manual_seed(0)
    model = LinearRegressionModelV2(3)
    for name in ("one", "another"):
        save(tmp_path / name, model, card_of(model))
    written = [far / "other name.bin", tmp_path / "one" / "model.pth", tmp_path / "another" / "model.pth"]
    assert len({path.read_bytes() for path in written}) == 1
    state = model.state_dict()
    containers: list[dict[str, Tensor]] = [
        dict(state),
        OrderedDict(state),
        {key: value.clone() for key, value in state.items()},
        {key: nn.Parameter(value) for key, value in state.items()},
        {"linear_layer.weight": state["linear_layer.weight"].T.contiguous().T, **state},
        {
            key: torch.cat([value.reshape(-1), torch.ones(9)])[: value.numel()].view_as(value)
            for key, value in state.items()
        },
    ]
    assert {state_bytes(container) for container in containers} == {written[0].read_bytes()}
    for secret in (str(tmp_path), "one", "another", Path.home().name, os.uname().nodename):
        assert secret.encode() not in state_bytes(state)


def test_one_bit_of_a_weight_changes_the_bytes_and_the_identity() -> None:
    state = LinearRegressionModelV2(3).state_dict()
    other = {key: value.clone() for key, value in state.items()}
    other["linear_layer.bias"].view(torch.int32)[0] ^= 1
    assert state_bytes(state) != state_bytes(other)
    assert state_sha256(state) != state_sha256(other)


def test_the_identity_of_the_weights_by_definition() -> None:
    state = {"weights": torch.tensor([1.5]), "bias": torch.tensor([-0.25])}
    digest = hashlib.sha256()
    digest.update(b"('bias', 'float32', (1,))" + np.array([-0.25], "<f4").tobytes())
    digest.update(b"('weights', 'float32', (1,))" + np.array([1.5], "<f4").tobytes())
    assert state_sha256(state) == digest.hexdigest()
    assert state_sha256(dict(reversed(state.items()))) == digest.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"w": torch.zeros(2, dtype=torch.float64)},
        {"w": torch.zeros(4)},
        {"w": torch.zeros(2, 2), "v": torch.zeros(0)},
        {"v": torch.zeros(2, 2)},
        {"w": torch.zeros(2, 2, dtype=torch.int32)},
        {"w": -torch.zeros(2, 2)},
    ],
)
def test_the_identity_tells_names_shapes_dtypes_and_signs_apart(other: dict[str, Tensor]) -> None:
    assert state_sha256(other) != state_sha256({"w": torch.zeros(2, 2)})


def test_the_identity_is_of_values_not_of_memory() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    assert state_sha256({"w": matrix.T}) == state_sha256({"w": matrix.T.contiguous()})
    assert state_sha256({"w": torch.ones(1).expand(4)}) == state_sha256({"w": torch.ones(4)})
    assert state_sha256({"w": nn.Parameter(matrix)}) == state_sha256({"w": matrix})


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    model = LinearRegressionModelV2(3)
    save(tmp_path, model, card_of(model))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_saved_models_share_no_memory_with_what_was_saved(tmp_path: Path) -> None:
    model = LinearRegressionModel()
    save(tmp_path, model, card_of(model))
    with torch.no_grad():
        model.weights.fill_(9.0)
    read = load(tmp_path).model
    assert isinstance(read, LinearRegressionModel)
    assert read.weights.item() != 9.0


def test_describe_state() -> None:
    assert describe_state(LinearRegressionModelV2(3).state_dict()) == [
        {"name": "linear_layer.weight", "dtype": "float32", "shape": [1, 3]},
        {"name": "linear_layer.bias", "dtype": "float32", "shape": [1]},
    ]


# What is there is not what is expected


def told(path: Path) -> str:
    """The message, one line that begins with the name of the file."""
    with pytest.raises(ModelError) as raised:
        load(path)
    message = str(raised.value)
    assert message.startswith(f"{path / 'model.pth' if path.is_dir() else path}: ")
    assert "\n" not in message
    return message


def refused(path: Path) -> str:
    """The same; it does not advise to switch the safety off."""
    message = told(path)
    assert "weights_only" not in message
    return message


def put(path: Path, state: object) -> Path:
    """Save anything at all with torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(state, path)
    return path


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
        stream.truncate(3 * 2**30)
    assert "has 3221225472 bytes, expected at most 2147483648" in refused(tmp_path / "huge.pth")


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
    lines = message.partition("where you trust it: ")[2].partition("; else save")[0]
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


def v1(**changed: Tensor) -> dict[str, Tensor]:
    return {"weights": torch.ones(1), "bias": torch.ones(1), **changed}


def v2(weight: Tensor, bias: Tensor | None = None) -> dict[str, Tensor]:
    return {"linear_layer.weight": weight, "linear_layer.bias": torch.ones(1) if bias is None else bias}


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


# Damaged archives


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x80",
        b"\x80\x02.",
        b"PK",
        b"\0" * 1000,
        b"<html></html>",
        b"version https://git-lfs",
        b"PK\5\6",
    ],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(data)
    assert "is not a state_dict of torch.save" in refused(path)


def test_the_legacy_format_is_refused_without_reading_it(tmp_path: Path) -> None:
    torch.save(v1(), tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    message = refused(tmp_path / "net.pth")
    assert "is not a state_dict of torch.save (torch 1.6 or newer)" in message
    lines = message.partition("convert it: ")[2].partition(" (sha256")[0]
    exec(lines.replace("'weights.pth'", repr(str(tmp_path / "weights.pth"))), {})
    assert load(tmp_path / "weights.pth").model.weights.item() == 1.0


SMALL = state_bytes({"weights": torch.tensor([0.7]), "bias": torch.tensor([0.3])})


def test_cut_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    for length in range(len(SMALL)):
        path.write_bytes(SMALL[:length])
        with pytest.raises(ModelError):
            load_state(path)
    path.write_bytes(SMALL)
    assert load_state(path)["weights"].item() == np.float32(0.7)


def test_no_bit_flip_gives_other_numbers(tmp_path: Path) -> None:
    """Of every byte one bit, and of the bytes that are the numbers all."""
    path = tmp_path / "net.pth"
    numbers = {
        place + offset
        for value in (0.7, 0.3)
        for place in [SMALL.index(np.float32(value).tobytes())]
        for offset in range(4)
    }
    random = np.random.default_rng(0).integers(0, 8, size=len(SMALL)).tolist()
    flips = [(place, random[place]) for place in range(len(SMALL))]
    flips += [(place, bit) for place in numbers for bit in range(8)]
    wanted = load_state_of(path, SMALL)
    accepted = 0
    for place, bit in flips:
        data = bytearray(SMALL)
        data[place] ^= 1 << bit
        try:
            state = load_state_of(path, bytes(data))
        except ModelError:
            continue
        accepted += 1
        assert place not in numbers
        assert state == wanted, f"bit {bit} of byte {place}"
    assert accepted < len(flips) / 2


def load_state_of(path: Path, data: bytes) -> dict[str, tuple[bytes, torch.dtype]]:
    path.write_bytes(data)
    return {key: (value.numpy().tobytes(), value.dtype) for key, value in load(path).model.state_dict().items()}


def repacked(
    data: bytes,
    *,
    compression: int = zipfile.ZIP_STORED,
    change: Callable[[str, bytes], bytes | None] = lambda _name, content: content,
) -> bytes:
    """The archive written again by Python's zipfile."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return buffer.getvalue()


def test_a_wrong_crc(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    data = SMALL.replace(np.float32(0.7).tobytes(), np.float32(0.8).tobytes())
    assert data != SMALL
    path.write_bytes(data)
    assert torch.load(path, weights_only=True)["weights"].item() == np.float32(0.8)  # torch does not look
    assert "is damaged: the checksum of 'archive/data/0' is wrong; restore it from a copy" in refused(path)


def test_compressed_entries(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL))
    assert load(path).model is not None
    path.write_bytes(repacked(SMALL, compression=zipfile.ZIP_DEFLATED))
    assert "compressed or repeated entries, which torch.save never writes" in refused(path)


def test_a_compression_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    bomb = repacked(
        SMALL,
        compression=zipfile.ZIP_DEFLATED,
        change=lambda name, content: content + bytes(2**28) if name.endswith("data.pkl") else content,
    )
    assert len(bomb) < 2**20
    path.write_bytes(bomb)
    assert "compressed or repeated entries" in refused(path)


def test_repeated_names(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    buffer = io.BytesIO(repacked(SMALL))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("archive/data/0", np.float32(9).tobytes())
    path.write_bytes(buffer.getvalue())
    assert "compressed or repeated entries" in refused(path)


@pytest.mark.parametrize("missing", ["data.pkl", "data/0", "version"])
def test_a_missing_entry(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: None if name.endswith(missing) else content))
    assert "is not a plain state_dict" in refused(path)


@pytest.mark.parametrize("length", [0, 3, 8])
def test_a_record_that_is_too_short_or_too_long(tmp_path: Path, length: int) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: bytes(length) if "/data/0" in name else content))
    assert "is not a plain state_dict" in refused(path)


def make_onnx_model(path: Path) -> Path:
    from onnx import TensorProto, helper, save_model

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [value], [helper.make_empty_tensor_value_info("y")]
    )
    save_model(helper.make_model(graph), path)
    return path


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weights=np.ones(1), bias=np.ones(1))
    refused(tmp_path / "net.npz")
    with zipfile.ZipFile(tmp_path / "text.pth", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "text.pth")
    onnx = make_onnx_model(tmp_path / "net.onnx")
    assert "is not a state_dict of torch.save" in refused(onnx)


@pytest.mark.parametrize(
    "pickled", [b"\x80\x02]q\0.", b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".", b"\x80\x02u.", b"."]
)
def test_odd_pickles(tmp_path: Path, pickled: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(repacked(SMALL, change=lambda name, content: pickled if name.endswith("data.pkl") else content))
    refused(path)


# A bundle and its card


def bundle(folder: Path, **changed: Any) -> LinearRegressionModelV2:
    model = LinearRegressionModelV2(2)
    save(folder, model, card_of(model, **changed))
    return model


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"features": ("a", "b", "c")},
            "holds architecture linear with 2 features and a bias, but its card says linear w",
        ),
        (
            {"features": ("a",), "architecture": Architecture.PARAMETER},
            "but its card says parameter with 1; train again",
        ),
        ({"bias": False}, "holds architecture linear with 2 features and a bias, but its card says"),
        ({"dtype": Precision.FLOAT64}, "its tensors are torch.float32, but its card says float64"),
        ({"state_sha256": "0" * 64}, "holds other weights than its card names; train again, or restore the card"),
    ],
)
def test_a_card_that_disagrees(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    bundle(tmp_path, **changed)
    assert message in refused(tmp_path)
    assert message in refused(tmp_path / "model.pth")
    (tmp_path / "model.pth").rename(tmp_path / "bare.pth")
    assert load(tmp_path / "bare.pth").card is None


def test_weights_of_another_model_beside_a_card(tmp_path: Path) -> None:
    bundle(tmp_path)
    (tmp_path / "model.pth").write_bytes(state_bytes(LinearRegressionModelV2(2).state_dict()))
    assert "holds other weights than its card names" in refused(tmp_path)


def test_a_bad_card(tmp_path: Path) -> None:
    bundle(tmp_path)
    path = tmp_path / "card.json"
    value = json.loads(path.read_text())
    for text in ["", "[1]", "{}", json.dumps({**value, "features": []}), json.dumps({**value, "schema_version": 7})]:
        path.write_text(text)
        for name in (tmp_path, tmp_path / "model.pth"):
            with pytest.raises(ModelError, match=r"card\.json: "):
                load(name)
    path.unlink()
    assert load(tmp_path).card is None


def test_a_card_is_read_with_its_model(tmp_path: Path) -> None:
    model = bundle(tmp_path)
    card = load(tmp_path).card
    assert card == card_of(model)
    save(tmp_path, model, replace(card, target="z"))
    read = load(tmp_path / "model.pth").card
    assert read is not None
    assert read.target == "z"
