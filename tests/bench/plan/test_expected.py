"""What every row must answer, written once and read by each process: the same as verification asks for."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.plan.expected import FIELDS, SEED, read_expected, write_expected
from bench.plan.subject import Subject
from export.proof.comparison import compare_output
from export.proof.oracle import Oracle
from export.source.inputs import Input
from export.source.module_source import from_module
from linreg.errors import InexactError, LinregError, MismatchError
from tests.nets import TwoTowers, make

BATCHES = (1, 7, 33)


@pytest.fixture(scope="module")
def sources(penguins):
    towers = [
        Input(name="user", dtype=np.dtype("float32"), shape=("batch", 4)),
        Input(name="item", dtype=np.dtype("float32"), shape=("batch", 6)),
    ]
    return {
        "penguins": Subject(path=str(penguins)).source(),
        "two-towers": from_module(make(TwoTowers), towers),
    }


@pytest.fixture(scope="module", params=["penguins", "two-towers"])
def written(request, sources, tmp_path_factory):
    """A source, and what was read of what was written of it."""
    path = tmp_path_factory.mktemp("expected") / "model.npz"
    source = sources[request.param]
    write_expected(path, source, BATCHES)
    return source, read_expected(path)


def test_every_batch_has_the_inputs_of_its_size(written):
    source, found = written
    assert tuple(found) == BATCHES
    for batch, expected in found.items():
        assert [array.shape for array in expected.inputs] == [(batch, *entry.shape[1:]) for entry in source.inputs]
        wanted = source.random_inputs({"batch": batch}, 1.0, SEED)
        assert [array.tobytes() for array in expected.inputs] == [array.tobytes() for array in wanted]
        assert [array.dtype for array in expected.inputs] == [entry.dtype for entry in source.inputs]


def test_the_outputs_are_those_of_verification(written):
    source, found = written
    oracle = Oracle(source)
    for batch, expected in found.items():
        assert expected.output_names == source.output_names
        wanted = oracle.answers(source.random_inputs({"batch": batch}, 1.0, SEED), 1.0)
        for mine, theirs in zip(expected.outputs, wanted, strict=True):
            for field in FIELDS:
                own, other = getattr(mine, field), getattr(theirs, field)
                assert (own.dtype, own.shape) == (other.dtype, other.shape), field
                assert own.tobytes() == other.tobytes(), field


def test_every_field_of_an_output_is_kept():
    from dataclasses import fields

    from export.proof.comparison import ExpectedOutput

    # A benchmark runs eager, so that `bytes_known` is always true.
    assert tuple(field.name for field in fields(ExpectedOutput)) == (*FIELDS, "bytes_known", "alternatives")


class Best(nn.Module):
    """The labels of the two largest of three numbers, of which the first two are always equal."""

    def forward(self, x):
        return torch.cat([x, x, x - 1], 1).topk(2, dim=1)[1]


def test_only_labels_that_tie_pass_where_others_tie(tmp_path):
    source = from_module(Best(), [Input(name="x", dtype=np.dtype("float32"), shape=("batch", 1))])
    write_expected(tmp_path / "expected.npz", source, (4,))
    wanted = Oracle(source).answers(source.random_inputs({"batch": 4}, 1.0, SEED), 1.0)
    for labels in (read_expected(tmp_path / "expected.npz")[4].outputs[0], wanted[0]):
        assert compare_output("swapped", labels.eager[:, ::-1].copy(), labels) == 0
        with pytest.raises(MismatchError, match="wrong"):
            compare_output("wrong", np.full_like(labels.eager, 2), labels)


def test_eager_bytes_are_those_of_the_module(written):
    source, found = written
    for expected in found.values():
        with torch.inference_mode():
            answer = source.module(*map(torch.from_numpy, expected.inputs))
        outputs = answer.values() if isinstance(answer, dict) else (answer,)
        eager = [output.eager.tobytes() for output in expected.outputs]
        assert eager == [tensor.numpy().tobytes() for tensor in outputs]


def test_what_is_allowed_is_small_and_not_nothing(written):
    _, found = written
    for expected in found.values():
        for output in expected.outputs:
            assert (output.allowed > 0).all()
            assert (output.allowed < 1e-5 * np.abs(output.values).max() + 1e-6).all()


def test_the_same_bytes_from_another_call(sources, tmp_path):
    for name in ("one.npz", "other.npz"):
        write_expected(tmp_path / name, sources["penguins"], (5,))
    one, other = (read_expected(tmp_path / name)[5] for name in ("one.npz", "other.npz"))
    assert one.inputs[0].tobytes() == other.inputs[0].tobytes()
    assert [output.eager.tobytes() for output in one.outputs] == [output.eager.tobytes() for output in other.outputs]


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "model.npz", output_names=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_expected(tmp_path / "model.npz")


def test_answers_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(LinregError, match=r"model\.npz: no such file"):
        read_expected(tmp_path / "model.npz")


def test_a_module_too_inexact_to_be_compared_is_refused(tmp_path):
    class Cancelling(torch.nn.Module):
        def forward(self, x):
            return (x * 1e-6 + 1e6) - 1e6

    source = from_module(Cancelling(), [Input(name="x", dtype=np.dtype("float32"), shape=("batch", 4))])
    with pytest.raises(InexactError, match="exported files could not be verified"):
        write_expected(tmp_path / "model.npz", source, (1,))
    assert not (tmp_path / "model.npz").exists()
