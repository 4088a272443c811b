"""`linreg bench --budget`, and the line in which each gate says how it ended."""

import json

import pytest

from tests.bench_command import CPU, rows_of
from tests.cli.test_bench_gate import change_ratios, level

pytestmark = pytest.mark.usefixtures("frozen", "threads")


@pytest.fixture
def tails(report):
    """A report whose rows have the same tail, but for one."""
    for row in rows_of(report).values():
        if row["problem"] == "" and row["answers"]:
            row["tails_s"] = {"p50": 5e-6, "p90": 6e-6, "p99": 8e-6}
            row["tail_calls"] = 1400
    rows_of(report)["pt2"]["tails_s"]["p99"] = 9e-3
    return report


@pytest.mark.parametrize(
    ("budget", "code"),
    [("p99=10ms", 0), ("p99=8ms", 4), ("pt2:p99=8000us", 4), ("torchscript:p99=8us", 0), ("p90=6.1µs", 0)],
)
def test_a_budget_limits_a_percentile(linreg, bundle, measured, tails, budget, code):
    measured(tails)
    ended = linreg("bench", "-m", bundle, "--budget", budget)
    assert ended.code == code, ended.err
    assert f"budget: {'failed' if code else 'passed'}; the worst is " in ended.out
    assert "1,400 calls (a closed loop: " in ended.out
    assert (bundle / "bench.json").is_file()
    if code == 4:
        (wrong,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        judged = 1 if ":" in budget else len(set(CPU) - {"null", "floor"})
        assert wrong == (
            "error: --budget: pt2 at batch 1, p99 9 ms of 8 ms allowed, over 1,400 calls; "
            f"exceeded by 1 of {judged} rows"
        )


def test_a_null_row_and_rows_on_another_device_have_no_budget(linreg, bundle, measured, tails):
    rows_of(tails)["null"]["tails_s"]["p99"] = 1.0
    measured(tails)
    assert linreg("bench", "-m", bundle, "--budget", "p99=10ms").code == 0


def test_each_budget_is_judged_and_json_has_them(linreg, bundle, measured, tails):
    measured(tails)
    words = ["--budget", "p99=10ms", "--budget", "torchscript:p90=1us", "--json"]
    ended = linreg("bench", "-m", bundle, *words)
    assert ended.code == 4
    budgets = json.loads(ended.out)["budgets"]
    assert [entry["name"] for entry in budgets if entry["over"]] == ["torchscript"]
    assert {entry["percentile"] for entry in budgets} == {"p90", "p99"}
    assert "budget: failed; " in ended.err


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("p99", "expected a percentile and a time such as p99=10ms"),
        ("p95=10ms", "percentiles are p50, p90, p99, p99.9"),
        ("p99=10", "units ns, us"),
        ("p99=0ms", "expected a percentile"),
        ("p99=ten ms", "expected a percentile"),
    ],
)
def test_a_malformed_budget_is_wrong_usage(linreg, bundle, budget, message):
    ended = linreg("bench", "-m", bundle, "--budget", budget)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("found", "calls", "text"),
    [
        ({"p50": 0.1, "p90": 0.2}, 70, "p99 at least 200 ms of 10 ms allowed, over 70 calls"),
        ({}, 0, "p99 at least 1.5 s of 10 ms allowed, over its rounds"),
    ],
)
def test_a_row_far_beyond_its_budget_exceeds_it_after_a_few_calls(linreg, bundle, measured, tails, found, calls, text):
    rows_of(tails)["pt2"].update(tails_s=found, tail_calls=calls, median_s=1.5)
    measured(tails)
    ended = linreg("bench", "-m", bundle, "--budget", "p99=10ms")
    assert ended.code == 4
    assert f"budget: failed; the worst is pt2 at batch 1, {text} (a closed loop: " in ended.out


def test_calls_on_cuda_have_no_budget(linreg, bundle, measured, tails):
    for row in rows_of(tails, "cuda").values():
        row.update(problem="", median_s=1.0, host_median_s=1.0, rows_per_s=1.0, ratio=None, verdict=None)
    measured(tails)
    assert linreg("bench", "-m", bundle, "--budget", "p99=10ms").code == 0
    ended = linreg("bench", "-m", bundle, "--device", "cuda", "--budget", "p99=10ms")
    assert ended.code == 2
    assert "calls timed one by one, which is done on the CPU" in " ".join(ended.err.split())


def test_what_was_not_timed_cannot_keep_within_a_budget(linreg, bundle, measured, tails):
    measured(tails)
    ended = linreg("bench", "-m", bundle, "--budget", "pt3:p99=1s")
    assert ended.code == 1
    *_, message = ended.err.splitlines()
    assert message.startswith("error: --budget pt3:p99=1s: 'pt3' was not timed, expected one of eager-inference_mode, ")
    rows_of(tails)["pt2"].update(tails_s={"p50": 0.1}, tail_calls=30)
    measured(tails)
    ended = linreg("bench", "-m", bundle, "--budget", "p99=1s")
    assert ended.code == 1
    *_, message = ended.err.splitlines()
    assert "pt2 at batch 1 was timed in 30 single calls, and p99 needs 662" in message


@pytest.mark.parametrize(
    ("factor", "line"),
    [
        (1.026, "gate: passed; the worst is pt2, +2.6 % of 3 % allowed"),
        (1.05, "gate: failed; the worst is pt2, +5.0 % (+5.0 % to +5.0 %) of 3 % allowed; exceeded by 1 of "),
        (0.9, "gate: passed; the worst is "),
    ],
)
def test_the_gate_says_how_much_of_the_limit_was_taken(linreg, penguins, report, measured, tmp_path, factor, line):
    for row in rows_of(report).values():
        if row["ratio"] is not None:
            level(report, row["name"])
    (tmp_path / "old.json").write_text(json.dumps(report))
    change_ratios(report, "pt2", factor)
    measured(report)
    ended = linreg("bench", "-m", penguins, "-o", "new", "--compare", "old.json", "--fail-slower", "3%")
    assert ended.code == (4 if factor == 1.05 else 0)
    (gate,) = [own for own in ended.out.splitlines() if own.startswith("gate: ")]
    assert gate.startswith(line)
    if factor < 1:
        assert "pt2" not in gate
