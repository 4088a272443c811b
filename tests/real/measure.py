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
    with tempfile.TemporaryDirectory(prefix="linreg-real-") as folder:
        axes = [] if fixed else [f"{axis}={size}" for axis, size in network.example.items()]
        plain = run([sys.executable, str(HERE / "plain.py"), network.name, f"{folder}/plain.onnx", *axes])
        inputs = network.fixed_inputs() if fixed else network.inputs
        command = [sys.executable, "-m", "linreg", "export", "--module", f"{HERE / 'nets.py'}:{network.name}"]
        for text in inputs:
            command += ["--input", text]
        linreg = run([*command, "--json", "-o", f"{folder}/net"])
        result: dict[str, Any] = {"inputs": inputs, "plain": plain, "linreg": linreg}
        output, said = linreg.pop("stdout"), linreg.pop("stderr")
        wrong = plain.pop("stderr")
        plain.pop("stdout")
        if plain["exit"]:
            plain["said"] = wrong.strip()[-300:].replace(folder, "")
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


def row(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    plain, linreg, times = found["plain"], found["linreg"], ratio(found)
    proof = found.get("proof") or {}
    weights = proof.get("weights") or {}
    cells = [
        name,
        "<br>".join(f"`{text}`" for text in found["inputs"]),
        f"{plain['cpu_s']:.1f}",
        f"{linreg['cpu_s']:.1f}",
        "-" if times is None else f"{times:.1f}",
        f"{plain['peak_mb'] / 1e3:.2f}",
        f"{linreg['peak_mb'] / 1e3:.2f}",
        f"{found.get('file_mb', '-')}",
        f"{proof.get('cases', '-')}",
        f"{weights.get('found', '-')} of {weights.get('total', '-')}",
        right(found),
        linreg.get("said", plain.get("said", "")).replace("\n", " ")[-160:].replace("|", "/"),
    ]
    return "| " + " | ".join(cells) + " |"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())


def write(found: dict[str, Any]) -> None:
    """Write results.json and RESULTS.md."""
    packages = ("torch", "onnx", "onnxruntime", "onnxscript", "transformers", "numpy")
    machine = {
        "processor": next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if "model name" in line
            ),
            platform.processor(),
        ),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
    RESULTS.write_text(json.dumps({"machine": machine, "networks": found}, indent=1) + "\n")
    ratios = [times for entry in found.values() if (times := ratio(entry)) is not None]
    summary = f"{len(found)} networks, {len(ratios)} exported"
    if ratios:
        summary += f"; ratio of CPU seconds: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}"
    columns = ("network", "inputs", "plain, CPU s", "linreg, CPU s", "ratio", "plain, GB", "linreg, GB", "file, MB")
    columns += ("cases", "weights", "right", "said")
    head = [
        "# Real networks",
        "",
        "Made by `make real`. Beside each other: `linreg export` to ONNX with its proof by the default budget, and a",
        "script that calls `torch.onnx.export(dynamo=True)` and runs the file once. Each has a process of its own and",
        "one thread, so that other work changes the CPU seconds little; GB is the peak memory of all its",
        "processes together. Right: the answers of onnxruntime at sizes that the proof did not try are those of the",
        "module in float64, as found without linreg's code.",
        "",
        ", ".join(f"{key} {value}" for key, value in machine.items()) + ".",
        "",
        summary + ".",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    Path(HERE, "RESULTS.md").write_text("\n".join([*head, *(row(*item) for item in found.items()), ""]))


if __name__ == "__main__":
    main()
