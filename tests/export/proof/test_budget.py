"""A proof within a budget: what is tried first, what is always tried, and what is said about the rest."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from export.proof import network as proof
from export.proof.budget import ALL, Spending, about, parse_budget
from export.proof.cases import planned_cases
from export.proof.memory import bytes_at
from export.proof.sizes import sizes_within
from export.proof.verify import verify
from export.runners.torch import torch_runner
from export.source.module_source import from_module
from export.source.source import with_rows
from export.source.user_module import parse_input
from linreg.errors import ExportError, MismatchError
from tests import nets

LEAST = ["batch 1, scale 1", "batch 2, scale 1", "batch 7, scale 1"]


@pytest.fixture(scope="module")
def source():
    return from_module(nets.make(nets.Mlp), [parse_input("x=float32[batch,16]")])


class Clock:
    """A clock that moves by one second for each row that is run."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def prove(source, budget_s, monkeypatch):
    """The verification, and the names of the cases in the order in which they were tried."""
    clock, tried = Clock(), []
    judge = proof._judge

    def judged(runner, source, case, unoptimised):
        tried.append(case.name)
        clock.now_s += len(case.inputs[0])
        return judge(runner, source, case, unoptimised)

    monkeypatch.setattr(proof, "_judge", judged)
    runner = torch_runner("eager", source.module)
    return verify(runner, source, budget_s=budget_s, clock=clock), tried


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("2m", 120), ("1.5h", 5400), ("0s", 0), ("all", math.inf), ("0.25s", 0.25)]
)
def test_a_budget_is_a_duration_or_all(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "-1s", "1e3s", "nan", "inf", "infs", "s", "2 m", "ALL", "1d", "٣s"])
def test_another_budget_is_refused_in_one_line(text):
    message = re.escape(f"got {text!r}, expected a duration such as 60s or 2m, or all")
    with pytest.raises(ValueError, match=f"^{message}$"):
        parse_budget(text)


def test_estimates_are_in_whole_units():
    assert [about(s) for s in (0.001, 12.4, 2400, 10800)] == ["about 1 s", "about 12 s", "about 40 min", "about 3 h"]


def test_the_least_is_tried_whatever_it_costs(source, monkeypatch):
    result, tried = prove(source, 0.0, monkeypatch)
    assert tried == LEAST
    assert (result.cases, result.sizes) == (3, ({"batch": 1}, {"batch": 2}, {"batch": 7}))


def test_the_users_rows_belong_to_the_least(source, monkeypatch):
    result, tried = prove(with_rows(source, np.full((5000, 16), 0.5)), 0.0, monkeypatch)
    assert tried == [*LEAST, "your rows"]
    assert result.cases == 4


def test_a_fault_in_the_least_is_found_without_a_budget(source):
    wrong = nets.make(nets.Mlp).eval()
    wrong.net[0].weight.data[3, 5] *= 1.001
    good = torch_runner("good", source.module)
    runner = torch_runner("wrong", wrong)
    planted = type(runner)(name="wrong", bind=runner.bind, parameters=good.parameters)
    with pytest.raises(MismatchError, match="batch 1, scale 1"):
        verify(planted, source, budget_s=0.0)


def test_large_batches_come_last(source, monkeypatch):
    result, tried = prove(source, ALL, monkeypatch)
    sizes = [int(re.search(r"batch (\d+)", name)[1]) for name in tried]
    assert tried[:3] == LEAST
    assert sizes[-4:] == [4096] * 4
    assert 4096 not in sizes[:-4]
    assert (result.cases, result.not_tried) == (20, ())
    assert [sizes["batch"] for sizes in result.sizes] == [1, 2, 7, 64, 4096]


def test_what_does_not_fit_is_named_with_what_it_would_take(source, monkeypatch):
    """10 s for the least at one second a row, and 380 s for the other cases of the four small batch sizes."""
    result, tried = prove(source, 390.0, monkeypatch)
    assert result.cases == len(tried) == 16
    assert result.not_tried == ("batch 4096 (about 5 h)",)


def test_single_cases_are_named_where_a_batch_was_tried_in_part(source, monkeypatch):
    result, _ = prove(source, 12.0, monkeypatch)
    assert "batch 7, scale 0.001 (about 7 s)" in result.not_tried
    assert "batch 64 (about 4 min)" in result.not_tried
    assert result.cases + sum(name.count(",") for name in result.not_tried) + 8 == 20


def test_whole_numbers_are_tried_once_and_not_at_three_scales():
    source = from_module(nn.Embedding(10, 3), [parse_input("ids=int64[batch,4]<10")])
    cases = [planned.make() for planned in planned_cases(source, sizes_within(source))]
    assert len(cases) == 10
    assert len({case.inputs[0].tobytes() for case in cases if len(case.inputs[0]) > 1}) == 8


def test_a_batch_beyond_the_memory_is_not_tried_and_named(monkeypatch):
    source = from_module(nn.Sequential(nn.Linear(4, 9000), nn.ReLU()), [parse_input("x=float32[batch,4]")])
    assert bytes_at(source, {"batch": 1}) > 12 * 9000 * 8
    monkeypatch.setattr("export.proof.memory.LIMIT_BYTES", 100 * bytes_at(source, {"batch": 1}))
    result, tried = prove(source, 1e9, monkeypatch)
    (named,) = result.not_tried
    assert re.fullmatch(r"batch 4096 \(about \d\.\d GB\)", named)
    assert "batch 64, scale 1" in tried


def test_live_bytes_count_what_lives_at_the_same_time():
    class Deep(nn.Module):
        """Forty activations of 4 kB a row, of which two live together; the output has 8 bytes in float64."""

        def forward(self, x):
            wide = x.expand(-1, 500) * 1.0
            for _ in range(40):
                wide = torch.relu(wide + 1)
            return wide.sum(1, keepdim=True)

    deep = bytes_at(from_module(Deep(), [parse_input("x=float32[batch,1]")]), {"batch": 1})
    assert 2 * 2 * 4000 <= deep < 2 * 5 * 4000


def test_each_case_is_announced(source):
    seen = []
    verify(torch_runner("eager", source.module), source, budget_s=0.0, begin=lambda *at: seen.append(at))
    assert seen == [(place, 20) for place in range(20)]


def spent(*cases, budget_s=100.0):
    """What was spent on cases, each a number of elements and a cost in seconds."""
    clock = Clock()
    spending = Spending(budget_s, clock)
    assert spending.affords(10**9), "nothing is known yet"
    for elements, cost_s in cases:
        spending.start_case()
        clock.now_s += cost_s
        spending.end_case(elements)
    return spending


def test_an_estimate_from_one_size_is_proportional_beyond_it():
    spending = spent((2, 3.0))
    assert [spending.estimate_s(elements) for elements in (1, 2, 20)] == [3.0, 3.0, 30.0]
    assert spending.affords(20)
    assert not spending.affords(200)


def test_an_estimate_from_two_sizes_has_a_fixed_part():
    spending = spent((1, 0.5), (10, 2.0), (30, 4.0))
    assert [spending.estimate_s(elements) for elements in (10, 20, 30, 130)] == [2.0, 3.0, 4.0, 14.0]


def test_the_cost_of_the_first_case_does_not_count_beside_others():
    spending = spent((1, 9.0), (10, 2.0), (30, 4.0))
    assert [spending.estimate_s(elements) for elements in (1, 20, 130)] == [2.0, 3.0, 14.0]
    assert spending.affords(800), "at 81 s; 85 are left"
    assert not spending.affords(900)


def test_an_estimate_grows_where_larger_cases_have_cost_no_more():
    spending = spent((1, 1.0), (10, 2.0), (40, 2.0))
    assert spending.estimate_s(440) == pytest.approx(2.0 + 400 * 0.25 * 2.0 / 40)


def test_a_budget_for_an_affine_module_is_refused(tmp_path):
    from export.bundle.export import export

    with pytest.raises(ExportError, match="budget: has no effect on an affine module"):
        export(nn.Linear(4, 2), tmp_path / "net", inputs=["x=float32[batch,4]"], budget="60s")
    with pytest.raises(ExportError, match="budget: got 'soon', expected a duration such as 60s or 2m, or all"):
        export(nn.Linear(4, 2), tmp_path / "net", inputs=["x=float32[batch,4]"], budget="soon")
    assert not (tmp_path / "net").exists()


def test_what_was_not_tried_is_in_the_manifest_and_no_vector_is_made_of_it(tmp_path):
    from export.bundle.export import export

    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    seen = []
    bundle = export(
        module, tmp_path / "net", inputs=["x=float32[batch,4]"], formats=["torchscript"], budget="0s",
        progress=lambda *at: seen.append(at),
    )  # fmt: skip
    proved = bundle.manifest.entry("model.torchscript").proof
    assert (proved["cases"], proved["sizes"]) == (3, [{"batch": 1}, {"batch": 2}, {"batch": 7}])
    assert proved["not_tried"][-1].startswith("batch 4096 (about ")
    assert ("prove torchscript", 6, 20) in seen
    assert bundle.manifest.entry("test_data_set_1/input_0.pb") is not None
    assert bundle.manifest.entry("test_data_set_2/input_0.pb") is None
