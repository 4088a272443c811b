"""The JSON keeps everything that was measured; the table shows names as text, whatever they look like."""

import json
import math
import platform
import socket
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.comparison import Comparison, Row, compare_variants
from bench.environment import describe_environment
from bench.report import SCHEMA_VERSION, duration, to_json, to_table
from bench.rounds import Blocks
from bench.statistics import Ratio, Verdict
from bench.variants import NULL, REFERENCE, cpu_variants, fresh_source
from linreg.checkpoint import load
from linreg.files import read_json, write_json

HOSTILE = ["[/]", "[bold]x", "[link=file:///etc/passwd]y[/link]", ":smile:", "\\[", "a [0, 0] b"]


def measured(name: str, ratio: Ratio | None, said: Verdict | None = None) -> Row:
    return Row(
        name=name,
        worst_error=0.25,
        bytes_equal=True,
        problem="",
        blocks=Blocks(calls=40, block_s=np.array([200_001, 200_007, 212_345]) * 1e-9),
        median_s=5.000175e-6,
        ratio=ratio,
        verdict=said,
    )


def wrong(name: str, problem: str) -> Row:
    return Row(
        name=name,
        worst_error=None,
        bytes_equal=False,
        problem=problem,
        blocks=None,
        median_s=None,
        ratio=None,
        verdict=None,
    )


def comparison(name: str = "wrong", third: str = "third") -> Comparison:
    return Comparison(
        batch=64,
        rows=(
            measured(REFERENCE, None),
            measured(NULL, Ratio(estimate=1.0, low=0.998, high=1.002)),
            measured(third, Ratio(estimate=0.4, low=0.39, high=0.41), Verdict.FASTER),
            wrong(name, f"{name}: output (0, 0) is nan, expected 1 within 0.1"),
        ),
    )


def as_json(*comparisons: Comparison) -> dict:
    return to_json(list(comparisons), state_sha256="ab" * 32, reference=REFERENCE, environment=describe_environment())


def rendered(name: str = "wrong", third: str = "third", reference: str = REFERENCE) -> list[str]:
    """The lines of the table, whose cells are wide enough for every text."""
    console = Console(width=400, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(to_table(comparison(name, third), reference=reference))
    return capture.get().splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_json_goes_through_a_file_unchanged(tmp_path):
    report = as_json(comparison(), comparison("[/]"))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    write_json(tmp_path / "bench.json", report)
    assert read_json(tmp_path / "bench.json") == report


def test_the_json_says_what_was_measured():
    report = as_json(comparison())
    assert report["schema_version"] == SCHEMA_VERSION == 1
    assert report["state_sha256"] == "ab" * 32
    assert report["reference"] == REFERENCE
    (part,) = report["comparisons"]
    assert part["batch"] == 64
    reference, null, third, bad = part["rows"]
    assert reference == {
        "name": REFERENCE,
        "worst_error": 0.25,
        "bytes_equal": True,
        "problem": "",
        "median_s": 5.000175e-6,
        "ratio": None,
        "verdict": None,
        "calls_per_block": 40,
        "block_s": [0.000200001, 0.000200007, 0.000212345],
    }
    assert null["ratio"] == {"estimate": 1.0, "low": 0.998, "high": 1.002}
    assert null["verdict"] is None
    assert third["verdict"] == "faster"
    assert bad == {
        "name": "wrong",
        "worst_error": None,
        "bytes_equal": False,
        "problem": "wrong: output (0, 0) is nan, expected 1 within 0.1",
        "median_s": None,
        "ratio": None,
        "verdict": None,
    }


def test_an_open_interval_is_still_json():
    """Five rounds or less: the interval is the whole line, and JSON has no infinity."""
    row = measured("few", Ratio(estimate=1.1, low=0.0, high=math.inf), Verdict.INCONCLUSIVE)
    (part,) = as_json(Comparison(batch=1, rows=(row,)))["comparisons"]
    assert json.loads(json.dumps(part, allow_nan=False))["rows"][0]["ratio"] == {
        "estimate": 1.1,
        "low": 0.0,
        "high": None,
    }


@pytest.mark.parametrize("rounds", [3, 10])
def test_a_real_comparison_keeps_every_block_and_names_no_machine(penguins, rounds, tmp_path, monkeypatch):
    real = platform.uname()
    monkeypatch.setattr(platform, "uname", lambda: platform.uname_result(real.system, "planted-name", *real[2:5]))
    monkeypatch.setattr(socket, "gethostname", platform.node)
    monkeypatch.chdir(tmp_path)
    checkpoint = load(penguins)
    measured = compare_variants(cpu_variants(checkpoint), fresh_source(checkpoint), batch=5, rounds=rounds)
    report = as_json(measured)
    text = json.dumps(report, allow_nan=False)
    (part,) = json.loads(text)["comparisons"]
    for row, kept in zip(measured.rows, part["rows"], strict=True):
        assert kept["calls_per_block"] == row.blocks.calls
        nanoseconds = np.array(kept["block_s"]) * 1e9
        assert nanoseconds.shape == (rounds,)
        np.testing.assert_allclose(nanoseconds, np.rint(nanoseconds), atol=1e-5)  # what the clock gives, whole
        np.testing.assert_allclose(kept["block_s"], row.blocks.block_s, rtol=1e-12)
        assert kept["median_s"] == pytest.approx(np.median(kept["block_s"]) / kept["calls_per_block"])
    for secret in ("planted-name", str(penguins), str(tmp_path), str(Path(__file__).parent)):
        assert secret not in text


def test_the_table_has_a_row_a_variant():
    title, _, headings, _, reference, null, third, bad, *_ = rendered()
    assert title.strip() == "batch 64, 1 thread, CPU, this process only"
    assert [part.strip() for part in headings.strip("┃").split("┃")][1:3] == ["median", f"ratio to {REFERENCE}"]
    assert cells(reference) == [REFERENCE, "5 µs", "1", "", "0.25", "yes", ""]
    assert cells(null) == [NULL, "5 µs", "1.000", "0.998 to 1.002", "0.25", "yes", ""]
    assert cells(third) == ["third", "5 µs", "0.400", "0.390 to 0.410", "0.25", "yes", "faster"]
    assert cells(bad) == ["wrong", "", "", "", "", "no", "wrong: output (0, 0) is nan, expected 1 within 0.1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_not_markup(name):
    _, _, headings, _, *rows = rendered(name, name, reference=name)
    assert cells(rows[2])[0] == cells(rows[3])[0] == name
    assert cells(rows[3])[-1].startswith(f"{name}: output (0, 0)")
    assert f"ratio to {name}" in headings


def test_a_wrong_row_is_struck_out():
    console = Console(width=200, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(to_table(comparison(), reference=REFERENCE))
    struck = [line for line in capture.get().splitlines() if "\x1b[9m" in line]
    assert len(struck) == 1
    assert "\x1b[9mwrong" in struck[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.98e-6, "1.98 µs"),
        (5.46e-9, "5.46 ns"),
        (12.34e-6, "12.3 µs"),
        (0.000123456, "123 µs"),
        (0.0004, "400 µs"),
        (0.00999, "9.99 ms"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
        (999.4e-6, "999 µs"),
        (999.7e-6, "1 ms"),  # never 1e+03 µs
        (0.99999, "1 s"),
        (999.99e-9, "1 µs"),
        (1e-3, "1 ms"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_no_duration_of_a_call_is_in_powers_of_ten():
    for seconds in np.geomspace(1e-9, 999, 20_011):
        shown, unit = duration(float(seconds)).split(" ")
        assert "e" not in shown
        assert float(shown) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit] == pytest.approx(seconds, rel=5.1e-3)
