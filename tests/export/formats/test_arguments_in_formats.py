"""Modules with arguments and outputs of every structure, in all formats, verified from disk in fresh runners."""

import json
from dataclasses import dataclass
from typing import Dict, Optional, Tuple  # noqa: UP035  (as users write it)

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.bundle.export import export
from export.bundle.verify import verify
from export.formats.names import Format, file_name
from export.runners.load import load_artifact
from export.runners.trust import Trust
from linreg.archive import read_archive
from linreg.errors import ExportError, ModelError

pytestmark = pytest.mark.slow


TORCH_FORMATS = (Format.PT2, Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 3)


class Skips(Net):
    def forward(self, x: Tensor, cache: Optional[Tensor] = None, shift: Optional[Tensor] = None, power: float = 2.0):  # noqa: UP045
        y = self.layer(x)
        if cache is not None:
            y = y * cache
        if shift is not None:
            y = y + shift
        return y * power


class Structured(Net):
    def forward(self, x: Tensor, pair: Tuple[Tensor, Tensor], table: Dict[str, Tensor]):  # noqa: UP006
        return torch.tanh(self.layer(x)) * pair[0] + pair[1] - table["low"] * table["high"]


class FixedFirst(Net):
    def forward(self, centre: Tensor, x: Tensor):
        return torch.tanh(self.layer(x - centre))


class Keyword(Net):
    def forward(self, x: Tensor, *, scale: Tensor, shift: Optional[Tensor] = None):  # noqa: UP045
        return torch.tanh(self.layer(x)) * scale


@dataclass
class Answer:
    logits: Tensor
    loss: Tensor | None
    hidden: tuple[Tensor, ...]


class Dataclass(Net):
    def forward(self, x: Tensor):
        y = self.layer(x)
        return Answer(y, None, (torch.relu(y), torch.tanh(y)))


INPUTS = {
    Skips: ["x=float32[batch,4]", "shift=float32[3]"],
    Structured: [
        "table.low=float32[batch,3]",
        "x=float32[batch,4]",
        "pair.1=float32[3]",
        "pair.0=float32[batch,3]",
        "table.high=float32[batch,3]",
    ],
    FixedFirst: ["centre=float32[4]", "x=float32[batch,4]"],
    Keyword: ["x=float32[batch,4]", "scale=float32[batch,3]"],
    Dataclass: ["x=float32[batch,4]"],
}
REFUSED = {Keyword: [Format.TORCHSCRIPT], Dataclass: [Format.TORCHSCRIPT]}
"""TorchScript has neither keyword-only arguments with defaults nor dataclasses of a dynamic kind."""

NAMES = {
    Skips: (["x", "shift"], ["output"]),
    Structured: (["x", "pair.0", "pair.1", "table.low", "table.high"], ["output"]),
    FixedFirst: (["centre", "x"], ["output"]),
    Keyword: (["x", "scale"], ["output"]),
    Dataclass: (["x"], ["logits", "hidden.0", "hidden.1"]),
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for kind, inputs in INPUTS.items():
        formats = [kind_ for kind_ in (Format.ONNX, *TORCH_FORMATS) if kind_ not in REFUSED.get(kind, [])]
        export(kind(), folder / kind.__name__, inputs=inputs, formats=formats, budget="1s")
    return folder


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.__name__)
def test_every_format_is_verified_from_disk(bundles, kind):
    rows = verify(bundles / kind.__name__).rows
    assert len(rows) == 4 - len(REFUSED.get(kind, []))


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.__name__)
def test_answers_are_those_of_the_module_at_another_batch(bundles, kind):
    inputs, outputs = NAMES[kind]
    model = onnx.load(bundles / kind.__name__ / "model.onnx")
    assert [entry.name for entry in model.graph.input] == inputs
    assert [entry.name for entry in model.graph.output] == outputs
    generator = np.random.default_rng(3)
    shapes = [[axis.dim_value or 5 for axis in entry.type.tensor_type.shape.dim] for entry in model.graph.input]
    arrays = dict(zip(inputs, (generator.standard_normal(shape).astype(np.float32) for shape in shapes), strict=True))
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.no_grad():
        match kind.__name__:
            case "Structured":
                wanted = kind()(
                    tensors["x"],
                    (tensors["pair.0"], tensors["pair.1"]),
                    {"low": tensors["table.low"], "high": tensors["table.high"]},
                )
            case "Dataclass":
                answer = kind()(**tensors)
                wanted = (answer.logits, *answer.hidden)
            case _:
                wanted = kind()(**tensors)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for form in (Format.ONNX, *TORCH_FORMATS):
        path = bundles / kind.__name__ / file_name(form)
        if form in REFUSED.get(kind, []):
            assert not path.exists()
            continue
        runner = load_artifact(form, path.name, path.read_bytes(), Trust.MADE_HERE)
        found = runner.bind(tuple(arrays.values())).outputs()
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-5)


def test_a_trace_is_called_by_the_names_of_its_arguments(bundles):
    traced = torch.jit.load(str(bundles / "Keyword" / "model.traced.torchscript"))
    x, scale = torch.randn(2, 4), torch.randn(2, 3)
    assert torch.equal(traced(x=x, scale=scale), traced(x, scale))


@pytest.mark.parametrize("kind", TORCH_FORMATS)
def test_the_arguments_are_in_the_file_only_if_they_are_not_plain(bundles, kind):
    def metadata(name):
        return json.loads(
            bytes(read_archive(name, (bundles / name / file_name(kind)).read_bytes())["extra/linreg.json"])
        )

    assert metadata("Skips")["arguments"] == {"paths": ["x", "shift"], "positional": 0}
    assert "arguments" not in metadata("FixedFirst")


def test_damaged_arguments_in_a_file_are_named(tmp_path):
    scripted = torch.jit.script(nn.Linear(4, 3))
    text = json.dumps({"arguments": {"paths": ["x", "x"], "positional": 0}})
    torch.jit.save(scripted, tmp_path / "model.torchscript", _extra_files={"linreg.json": text})
    data = (tmp_path / "model.torchscript").read_bytes()
    with pytest.raises(ModelError, match=r"model.torchscript: linreg.json in it is damaged: argument x is given twice"):
        load_artifact(Format.TORCHSCRIPT, "model.torchscript", data, Trust.MADE_HERE)


def test_a_foreign_file_is_called_by_position(tmp_path):
    module = nn.Bilinear(4, 3, 2)
    for text in ("{", "[]", '{"inputs": 3}', None):
        extra = {} if text is None else {"linreg.json": text}
        torch.jit.save(torch.jit.script(module), tmp_path / "model.torchscript", _extra_files=extra)
        data = (tmp_path / "model.torchscript").read_bytes()
        runner = load_artifact(Format.TORCHSCRIPT, "model.torchscript", data, Trust.MADE_HERE)
        one, two = np.ones((5, 4), np.float32), np.ones((5, 3), np.float32)
        assert runner.bind((one, two)).outputs()[0].shape == (5, 2)


def test_torchscript_says_which_annotations_it_needs(tmp_path):
    class Bare(Net):
        def forward(self, x, cache=None, pair=None):
            return self.layer(x) * pair[0] + pair[1]

    inputs = ["x=float32[batch,4]", "pair.0=float32[batch,3]", "pair.1=float32[batch,3]"]
    with pytest.raises(
        ExportError, match=r"annotate .*cache: Optional\[Tensor\] = None, pair: Tuple\[Tensor, Tensor\], or try"
    ):
        export(Bare(), tmp_path / "net", inputs=inputs, formats=["torchscript"], budget="1s")
