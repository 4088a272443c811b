"""Large batches that are proved in chunks of rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from export.proof import verify as proof
from export.proof.budget import ALL
from export.proof.cases import Case
from export.proof.chunks import in_chunks
from export.proof.memory import bytes_at, chunk_rows
from export.proof.oracle import oracle_of
from export.runners.torch import torch_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError


class CentredByBatch(nn.Module):
    """Each row depends on the others."""

    def forward(self, x):
        return torch.sin((x - x.mean(0, keepdim=True)).repeat(1, 900))


def source_of(module):
    torch.manual_seed(0)
    return from_module(module, [parse_input("x=float32[batch,4]")])


@pytest.fixture(scope="module")
def source():
    return source_of(nn.Sequential(nn.Linear(4, 3000), nn.Tanh()))


@pytest.fixture
def little_memory(source, monkeypatch):
    """Memory for ten rows of a proof, or 64 rows of a run."""
    monkeypatch.setattr("export.proof.memory.available_bytes", lambda: 20 * bytes_at(source, {"batch": 1}))
    return 20 * bytes_at(source, {"batch": 1})


def proved(source, wrong_at=None):
    """The proof of eager, which returns something else in one element of the batches of at least 64 rows."""
    runner, calls = torch_runner("eager", source.module), []

    def bind(inputs):
        call = runner.bind(inputs)
        calls.append(len(inputs[0]))

        def outputs():
            (found,) = call.outputs()
            if wrong_at is not None and len(found) >= 64:
                found[wrong_at] += 0.01
            return (found,)

        return replace(call, outputs=outputs)

    return proof.verify(replace(runner, bind=bind), source, budget_s=ALL), calls


def test_rows_are_proved_in_chunks_and_run_at_once(source, little_memory):
    rows = chunk_rows(source, {"batch": 64}, little_memory)
    assert 1 <= rows < 64
    assert chunk_rows(source, {"batch": 7}, little_memory) == 7
    result, calls = proved(source)
    assert {"batch": 64} in result.sizes
    assert set(calls) == {1, 2, 7, 64}
    assert all("batch 64" not in text for text in result.not_tried)


def test_a_fault_in_a_later_chunk_is_found_with_the_inputs_of_the_batch(source, little_memory):
    rows = chunk_rows(source, {"batch": 64}, little_memory)
    first = 50 // rows * rows
    with pytest.raises(MismatchError, match=f"batch 64, scale .*, rows {first} to ") as failed:
        proved(source, wrong_at=(50, 1234))
    assert failed.value.inputs["x"].shape == (64, 4)


def test_rows_that_depend_on_each_other_are_not_proved_apart():
    source = source_of(CentredByBatch())
    limit = 20 * bytes_at(source, {"batch": 1})
    assert chunk_rows(source, {"batch": 7}, limit) == 7
    assert chunk_rows(source, {"batch": 64}, limit) is None
    assert np.isclose(bytes_at(source, {"batch": 64}), 64 * bytes_at(source, {"batch": 1}), rtol=0.01)


def test_a_run_that_does_not_fit_is_not_cut(source):
    assert chunk_rows(source, {"batch": 4096}, 20 * bytes_at(source, {"batch": 1})) is None


def test_an_input_without_rows_is_whole_in_every_chunk():
    class Centred(nn.Module):
        def forward(self, x, centre):
            return torch.tanh(x - centre)

    mixed = from_module(Centred(), [parse_input("x=float32[batch,4]"), parse_input("centre=float32[4]")])
    inputs = mixed.random_inputs({"batch": 10}, 1.0, 0)
    runner = torch_runner("eager", mixed.module)
    parts = list(in_chunks(oracle_of(mixed), Case(name="batch 10", inputs=inputs), 4, runner, None))
    assert [[len(array) for array in part.inputs] for part, _, _ in parts] == [[4, 4], [4, 4], [2, 4]]
    whole = np.concatenate([one.bind(part.inputs).outputs()[0] for part, one, _ in parts])
    assert np.array_equal(whole, runner.bind(inputs).outputs()[0])
