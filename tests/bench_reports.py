"""Reports made by hand, of every shape that bench.json can have: for the tests of the page and of the plots."""

import json
from copy import deepcopy
from typing import Any

from bench.report.report import Report

REFERENCE = "eager-inference_mode"

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "</title></svg><script>alert(2)</script>",
    '"><a href="https://example.com/">x</a>',
    "{{ 7 * 7 }}{% raw %}",
    "[/]",
    "$x_1$ & a$b",
    r"\frac{a}{b}",
    "_hidden",
    "\x1b[31mred\u202e\n\t\x00",
    "体重（克）",
    "-->]]>",
    "",
    "W" * 300,
]


def row(name: str, estimate: float | None = None, **changes: Any) -> dict[str, Any]:
    """One row; its verdict follows from its estimate."""
    ratio = None if estimate is None else {"estimate": estimate, "low": estimate * 0.995, "high": estimate * 1.005}
    verdict = None
    if estimate is not None and name != "null":
        verdict = "faster" if estimate < 0.98 else "slower" if estimate > 1.03 else "equivalent"
    median_s = 7e-6 * (estimate or 1.0)
    return {
        "name": name,
        "kind": "eager",
        "mode": "inference_mode",
        "origin": None,
        "problem": "",
        "answers": True,
        "worst_error": 0.25,
        "bytes_equal": True,
        "median_s": median_s,
        "host_median_s": median_s * 1.5,
        "rows_per_s": 1 / median_s,
        "ratio": ratio,
        "verdict": verdict,
        "launch_bound": False,
        "tails_s": {"p50": median_s, "p90": median_s * 1.1, "p99": median_s * 3},
        "processes": [{"ratio": changes.get("ratio", ratio), "calls_per_block": 30, "block_ns": [987654321] * 3}],
        "tail_calls": 7000,
        **changes,
    }


def struck_out(name: str) -> dict[str, Any]:
    """A row that answers wrongly."""
    wrong = row(
        name,
        problem=f"{name}: output (0, 0) is nan, expected 1 within 0.1",
        worst_error=None,
        bytes_equal=False,
        median_s=None,
        host_median_s=None,
        rows_per_s=None,
        tails_s={},
        processes=[],
    )
    del wrong["tail_calls"]
    return wrong


def skipped(name: str, why: str) -> dict[str, Any]:
    """A row that could not be run."""
    return {**struck_out(name), "problem": f"skipped: {why}", "bytes_equal": None}


def floor(name: str = "floor") -> dict[str, Any]:
    """The empty call."""
    return row(name, median_s=2.8e-8, kind="floor", answers=False, worst_error=None, bytes_equal=None, rows_per_s=None)


def start(name: str, **changes: Any) -> dict[str, Any]:
    """One row of the lifecycle."""
    return {
        "name": name,
        "library": "torch",
        "samples": 3,
        "import_s": 1.5,
        "load_s": 0.05,
        "calls_s": [0.08, 0.0004, 0.00002],
        "steady_s": 7e-6,
        "calls_until_steady": 9,
        "memory_bytes": 220_000_000,
        "file_bytes": 3606,
        "break_even_calls": 67816,
        "threads": 1,
        **changes,
    }


def usual_rows(batch: int = 1) -> list[dict[str, Any]]:
    """The rows of an ordinary comparison."""
    scale = batch**0.1
    rows = [
        row(REFERENCE),
        row("null", 1.001),
        row("eager-grad", 1.26),
        row("eager-no_grad", 1.011, verdict="inconclusive"),
        row("torchscript", 0.895),
        row("pt2", 6.8, origin="rebuilt"),
        row("onnxruntime-run", 0.72 if batch == 1 else 1.24, bytes_equal=batch == 1, origin="bundle"),
        row("onnxruntime-io_binding", 0.384 if batch == 1 else 1.002, origin="bundle"),
        floor(),
    ]
    for own in rows:
        own["median_s"] *= scale
        own["rows_per_s"] = None if own["rows_per_s"] is None else batch / own["median_s"]
    return rows


def comparison(rows: list[dict[str, Any]], batch: int = 1, threads: int = 1, device: str = "cpu") -> dict[str, Any]:
    """One comparison."""
    return {"device": device, "threads": threads, "onnxruntime_threads": threads, "batch": batch, "rows": rows}


def report(*comparisons: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A report, of an ordinary comparison where none is given."""
    return {
        "schema_version": 2,
        "state_sha256": "ab" * 32,
        "reference": REFERENCE,
        "scope": "10 processes",
        "command": ["linreg", "bench", "-m", "my model"],
        "settings": {
            "batches": [1],
            "threads": [1],
            "onnxruntime_threads": None,
            "rounds": 100,
            "processes": 10,
            "more_processes": 5,
            "target": 0.01,
            "reference": REFERENCE,
            "single_calls": 700,
            "processes_run": 10,
        },
        "environment": {
            "processor": "AMD EPYC",
            "cores": 2,
            "load_1min": 0.5,
            "system": "Linux 6.18",
            "python": "3.11.7",
            "versions": {"torch": "2.13.0+cpu", "numpy": "2.4.6"},
            "cpu_capability": "AVX512",
            "cuda": None,
            "clock_resolution_s": 1e-9,
            "address_layout_randomised": True,
        },
        "quality": {"preempted": 3405, "stolen_s": 0.82, "duration_s": 60.4},
        "self_check": None,
        "comparisons": list(comparisons) or [comparison(usual_rows())],
        "lifecycle": [start(REFERENCE, break_even_calls=None, file_bytes=0), start("torchscript")],
        "runtimes": None,
        "model": "penguins",
        **changes,
    }


def environment(**changes: Any) -> dict[str, Any]:
    """An ordinary machine with some changes."""
    return {**report()["environment"], **changes}


def parsed(value: dict[str, Any]) -> Report:
    """The report that such values are the JSON of."""
    return Report.from_json(json.dumps(value))


def hostile() -> dict[str, Any]:
    """Every name, reason and version is hostile."""
    bad = HOSTILE[0]
    rows = [row(REFERENCE), row("null", 1.0), *(row(name, 0.5 + place / 9) for place, name in enumerate(HOSTILE))]
    rows += [struck_out(bad + " wrong"), skipped(bad + " skipped", bad)]
    return report(
        comparison(rows, 1),
        comparison(deepcopy(rows), 64),
        comparison(deepcopy(rows), 512),
        command=["linreg", "bench", *HOSTILE],
        lifecycle=[start(name) for name in HOSTILE],
        environment=environment(
            processor=bad, system=bad, python=bad, cpu_capability=bad, cuda=bad, versions={bad: bad}
        ),
        self_check={"passed": False, bad: bad},
        scope=bad,
        model=bad,
        state_sha256=bad,
    )


CUDA = "this torch has no CUDA device"

SAMPLES: dict[str, dict[str, Any]] = {
    "usual": report(comparison(usual_rows(1), 1), comparison(usual_rows(4096), 4096)),
    "three batches": report(*(comparison(usual_rows(batch), batch) for batch in (1, 64, 4096))),
    "one process": report(
        scope="this process only",
        settings={**report()["settings"], "processes": 1, "processes_run": 1},
        lifecycle=[],
        command=["linreg"],
    ),
    "reference alone": report(comparison([row(REFERENCE)])),
    "nothing faster": report(comparison([row(REFERENCE), row("null", 1.0), row("eager-grad", 1.2)])),
    "all very slow": report(comparison([row(REFERENCE), row("a", 40.0), row("b", 80.0), row("c", 4000.0)])),
    "all alike": report(comparison([row(REFERENCE), row("null", 1.0), row("a", 1.0), row("b", 1.0)])),
    "wrong": report(comparison([*usual_rows(), struck_out("onnxruntime-bad")])),
    "all wrong": report(comparison([struck_out(REFERENCE), struck_out("a")]), lifecycle=[]),
    "skipped only": report(comparison([skipped("cuda-graph", CUDA)], device="cuda"), lifecycle=[]),
    "two devices": report(
        *(comparison(usual_rows(batch), batch, threads) for threads in (1, 2) for batch in (1, 8, 64, 512, 4096)),
        *(
            comparison([*usual_rows(batch), row("cuda-graph", 0.11, launch_bound=True)], batch, device="cuda")
            for batch in (1, 64)
        ),
        comparison([skipped("onnxruntime-io_binding", CUDA)], 1, device="cuda"),
    ),
    "open intervals": report(
        comparison(
            [
                row(REFERENCE),
                row("null", ratio={"estimate": 1.0, "low": 0.0, "high": None}),
                row("open", ratio={"estimate": 1.1, "low": 0.0, "high": None}, verdict="inconclusive"),
                row("above", ratio={"estimate": 1.2, "low": 1.1, "high": None}, verdict="inconclusive"),
            ]
        )
    ),
    "thirty rows": report(
        *(
            comparison([row(REFERENCE), *(row(f"variant-{place}", 0.4 + place / 20) for place in range(29))], batch)
            for batch in (1, 2, 3, 1024)
        ),
        lifecycle=[start(f"variant-{place}", calls_until_steady=None) for place in range(29)],
    ),
    "self-check": report(
        self_check={
            "runs": 200,
            "excluded": 0.045,
            "beyond_margin": 0,
            "found_1_percent": 0.99,
            "found_3_percent": 1.0,
            "bias": -0.002,
            "passed": True,
            "failures": [],
            "environment": {"processor": "other"},
        },
        lifecycle=[start("slow", break_even_calls="never", calls_s=[0.0, 0.0, 0.0], load_s=0.0, import_s=0.0)],
    ),
    "another self-check": report(
        self_check={
            "passed": True,
            "date": None,
            "aa_excluded_percent": 4.5,
            "aa_runs": 200,
            "planted": {"1%": 1.0, "3%": 1.0},
        }
    ),
    "hostile": hostile(),
}
"""By what is special about them."""
