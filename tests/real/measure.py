"""Measure what `linreg export` costs beside the plain script, network by network; each result is written at once.

Usage: python -m tests.real.measure [--fixed] [NAME ...]. Networks whose result is there already are left out; name them
to measure them again. RESULTS.md and results.json stand beside this file. Every step runs in a process of its own.
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.real.networks import NETWORKS, Network

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
TIMEOUT_S = 560
SMALL_S = 5
"""Networks whose plain script takes less than this have a goal of their own."""

RIGHT = 2e-5
"""An answer is right if its error is at most this part of the largest answer, or four times eager's own error."""


def main() -> None:
    """Measure the networks that were named, or those that have no result yet."""
    names = [word for word in sys.argv[1:] if word != "--fixed"]
    fixed = "--fixed" in sys.argv
    found: dict[str, Any] = json.loads(RESULTS.read_text())["networks"] if RESULTS.exists() else {}
    networks = {network.name: network for network in NETWORKS}
    for name in names or [name for name in networks if name not in found]:
        found[name] = measure(networks[name], fixed=fixed)
        write({known: found[known] for known in networks if known in found})
        print(row(name, found[name]), flush=True)


def measure(network: Network, *, fixed: bool) -> dict[str, Any]:
    """The cost of both, what linreg said, and whether the file is right."""
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="linreg-real-") as folder:
        axes = [] if fixed else [f"{axis}={size}" for axis, size in network.example.items()]
        plain = run([sys.executable, str(HERE / "plain.py"), network.name, f"{folder}/plain.onnx", *axes])
        inputs = network.fixed_inputs() if fixed else network.inputs
        command = [sys.executable, "-m", "linreg", "export", "--module", f"{HERE / 'nets.py'}:{network.name}"]
        for text in inputs:
            command += ["--input", text]
        linreg = run([*command, "--json", "-o", f"{folder}/net"])
        result: dict[str, Any] = {"inputs": inputs, "load": load, "plain": plain, "linreg": linreg}
        output, said = linreg.pop("stdout"), linreg.pop("stderr")
        wrong, shapes = plain.pop("stderr"), plain.pop("stdout")
        if plain["exit"]:
            plain["said"] = wrong.strip()[-300:].replace(folder, "")
        else:
            plain["fixed"] = json.loads(shapes.splitlines()[-1])["fixed"]
        if linreg["exit"]:
            linreg["said"] = said.strip()[-600:].replace(folder, "").replace(str(ROOT), "")
            return result
        proof = json.loads(output)["artifacts"][0]
        result["proof"] = {key: proof.get(key) for key in ("cases", "batches", "not_tried", "weights", "worst_error")}
        result["file_mb"] = round(Path(folder, "net", "model.onnx").stat().st_size / 1e6, 1)
        other = {axis: size for axis, size in network.other.items() if not fixed or axis == "batch"}
        sizes = [f"{axis}={size}" for axis, size in other.items()]
        checked = run([sys.executable, str(HERE / "answers.py"), network.name, f"{folder}/net/model.onnx", *sizes])
        answers = (
            json.loads(checked["stdout"].splitlines()[-1])
            if not checked["exit"]
            else {"said": checked["stderr"][-300:]}
        )
        result["answers"] = {"sizes": other, **answers}
        return result


def run(command: list[str]) -> dict[str, Any]:
    """Run a command; CPU seconds of it and its children, seconds, and the peak memory of all its processes together."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, env=environment, start_new_session=True)
        timer = threading.Timer(TIMEOUT_S, os.killpg, (child.pid, signal.SIGKILL))
        timer.start()
        peak = _Peak(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        peak.stop()
        out.seek(0)
        err.seek(0)
        return {
            "exit": child.returncode,
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
            "wall_s": round(wall_s, 1),
            "peak_mb": round(max(usage.ru_maxrss * 1024, peak.bytes) / 1e6),
            "stdout": out.read().decode(errors="replace"),
            "stderr": err.read().decode(errors="replace"),
        }


class _Peak:
    """The largest sum of the resident memory of the processes of a session, seen every 50 ms."""

    def __init__(self, session: int) -> None:
        self.bytes, self._session, self._over = 0, session, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, sum(map(self._resident, Path("/proc").glob("[0-9]*/stat"))))

    def _resident(self, stat: Path) -> int:
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if int(fields[3]) == self._session else 0


def right(found: dict[str, Any]) -> str:
    """`yes`, `no`, or `-` if nothing was exported."""
    answers = found.get("answers", {})
    if "error" not in answers:
        return "no" if answers else "-"
    return "yes" if answers["error"] <= max(RIGHT, 4 * answers["eager_error"]) else "no"


def ratio(found: dict[str, Any]) -> float | None:
    """CPU seconds of linreg over those of the plain script; None if one of them failed."""
    if found["plain"]["exit"] or found["linreg"]["exit"]:
        return None
    return float(found["linreg"]["cpu_s"] / found["plain"]["cpu_s"])


def extra_gb(found: dict[str, Any]) -> float:
    """How much more memory linreg took than the plain script."""
    return float(found["linreg"]["peak_mb"] - found["plain"]["peak_mb"]) / 1e3


def row(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    plain, linreg, times = found["plain"], found["linreg"], ratio(found)
    proof = found.get("proof") or {}
    weights = proof.get("weights") or {}
    fixed = plain.get("fixed")
    notes = [linreg.get("said", plain.get("said", ""))[-160:]]
    notes += [f"the plain script's file has {', '.join(fixed)} fixed, linreg's has not"] if fixed and proof else []
    cells = [
        name,
        "<br>".join(f"`{text}`" for text in found["inputs"]),
        f"{plain['cpu_s']:.1f}",
        f"{linreg['cpu_s']:.1f}",
        "-" if times is None else f"{times:.1f}",
        f"{plain['peak_mb'] / 1e3:.2f}",
        f"{linreg['peak_mb'] / 1e3:.2f}",
        f"{extra_gb(found):.2f}",
        f"{found.get('file_mb', '-')}",
        f"{proof.get('cases', '-')}",
        f"{len(proof['not_tried'])}" if proof else "-",
        f"{weights.get('found', '-')} of {weights.get('total', '-')}",
        right(found),
        f"{found.get('load', '-')}",
        "; ".join(filter(None, notes)).replace("\n", " ").replace("|", "/"),
    ]
    return "| " + " | ".join(cells) + " |"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())


def _summary(found: dict[str, Any]) -> str:
    """How many there are, and how they compare with the goals of the issue that asked for this table."""
    done = {name: times for name, entry in found.items() if (times := ratio(entry)) is not None}
    text = f"{len(found)} networks, {sum('proof' in entry for entry in found.values())} exported"
    small = {name: times for name, times in done.items() if found[name]["plain"]["cpu_s"] < SMALL_S}
    for kind, ratios in (
        ("", [*done.values()]),
        (f" where the plain script takes below {SMALL_S} s", [*small.values()]),
    ):
        if ratios:
            text += f"; ratio of CPU seconds{kind}: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}"
    if done:
        text += f"; most memory beyond the plain script: {max(map(extra_gb, map(found.__getitem__, done))):.2f} GB"
    return text


def write(found: dict[str, Any]) -> None:
    """Write results.json and RESULTS.md."""
    packages = ("torch", "onnx", "onnxruntime", "onnxscript", "transformers", "numpy")
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
    RESULTS.write_text(json.dumps({"machine": machine, "networks": found}, indent=1) + "\n")
    columns = ("network", "inputs", "plain, CPU s", "linreg, CPU s", "ratio", "plain, GB", "linreg, GB", "extra, GB")
    columns += ("file, MB", "cases", "not tried", "weights", "right", "load", "note")
    head = [
        "# Real networks",
        "",
        "Made by `make real`. Beside each other: `linreg export` to ONNX with its proof by the default budget, and a",
        "script that calls `torch.onnx.export(dynamo=True)` and runs the file once. Each has a process of its own and",
        "one thread, one network after the other. The machine was shared with other work (load: the average of a",
        "minute before each), which changes CPU seconds less than seconds; but the budget of a proof is in seconds,",
        "so a busy machine tries fewer cases. GB is the peak memory of all processes of a command together. Not",
        "tried: how many cases or sizes the budget left out; results.json names them. Right: the answers of",
        "onnxruntime at sizes that the proof did not try are those of the module in float64, found without linreg.",
        "",
        ", ".join(f"{key} {value}" for key, value in machine.items()) + ".",
        "",
        _summary(found) + ".",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    Path(HERE, "RESULTS.md").write_text("\n".join([*head, *(row(*item) for item in found.items()), ""]))


if __name__ == "__main__":
    main()
