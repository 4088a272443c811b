"""Runtimes without Python beside Python's: the programs of deploy/, each proved by the test vectors before it is timed.

A program cannot share rounds with another process. So every program runs in several processes of its own, one after
the other in shuffled order with Python's, and the ratio is that of the medians of processes that ran side by side.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _linreg import child_command
from bench.analysis.statistics import Ratio, over_processes
from bench.worker.rounds import Blocks
from export.bundle.integrity import check_bundle
from export.formats.c_text import header_of
from export.formats.names import format_of
from export.runners.c import compiler, flags
from export.runners.trust import Trust, trusted_bytes
from linreg.config import MAX_JSON_BYTES, MAX_STATE_BYTES
from linreg.errors import LinregError, MismatchError, UntrustedError, one_line
from linreg.files import write_atomic
from linreg.inside import file_inside, read_inside
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, checksums, read_entry, read_listed, read_manifest

PYTHON = "python"
"""The reference: onnxruntime's `run` in Python, on the same file."""

PROGRAMS = {"libtorch": "model.torchscript", "standalone-c": "model.c"}
"""Runtimes that run a program from the bundle, and which."""

STANDALONE = "linreg-standalone-c"

BATCHES = (1, 4096)
"""Those of the vectors that are timed."""

BLOCKS = 100
LEAST_PROCESSES = 5
TIMEOUT_S = 300.0
SEED = 20261124


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A program that runs a bundle: `COMMAND verify BUNDLE` and `COMMAND bench BUNDLE BATCH BLOCKS`."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RuntimeRow:
    """One runtime at one batch.

    Attributes:
        name: of the runtime.
        version: what it says of itself.
        batch: rows of input.
        proof: the line with which its verification ended.
        blocks: by process.
        median_s: seconds a call, the median over processes.
        ratio: to Python's; None for Python itself.
    """

    name: str
    version: str
    batch: int
    proof: str
    blocks: tuple[Blocks, ...]
    median_s: float
    ratio: Ratio | None


def find_runtimes(
    deploy: Path, bundle: Path, work: Path, *, trust: bool = False
) -> tuple[list[Runtime], dict[str, str]]:
    """The runtimes that are built, and why others are not there, by name.

    Args:
        deploy: the folder of the programs.
        bundle: that is timed, as `copy_checked` copied it; the standalone C program is compiled for it.
        work: a folder for that.
        trust: run the bundle's programs, model.torchscript and model.c, though this user did not make them.

    Raises:
        MismatchError: the bundle has other bytes than its manifest.
    """
    found: list[Runtime] = []
    missing: dict[str, str] = {}
    for name in ("c", "libtorch"):
        program = deploy / "build" / name / f"linreg-{name}"
        if program.is_file():
            found.append(Runtime(name=name, command=(str(program),)))
        else:
            missing[name] = f"{program} is not built; run: make deploy-build"
    for name in ("node", "web"):
        script = deploy / name / "cli.mjs"
        if shutil.which("node") is None:
            missing[name] = "there is no node; install it: apt-get install nodejs"
        elif not (deploy / name / "node_modules").is_dir():
            missing[name] = f"{deploy / name} has no node_modules; run: npm ci --ignore-scripts in it"
        else:
            found.append(Runtime(name="wasm" if name == "web" else name, command=("node", str(script))))
    for name, file in PROGRAMS.items():
        if why := _untrusted(bundle, file, trust=trust):
            missing[name] = why
    if "standalone-c" not in missing and (why := _compile_standalone(deploy, bundle, work)):
        missing["standalone-c"] = why
    found.append(Runtime(name="standalone-c", command=(str(work / STANDALONE),)))
    return [runtime for runtime in found if runtime.name not in missing], missing


def copy_checked(bundle: Path, work: Path) -> Path:
    """Copy a bundle, every file compared with its manifest, so that programs run on the bytes that were checked.

    Args:
        bundle: with a manifest.
        work: a folder of this process; the copy has the bundle's name in it.

    Raises:
        LinregError: there is no manifest.
        MismatchError: the bundle has other bytes than its manifest.
        ModelError: a file or folder of the bundle is a link.
    """
    manifest = read_manifest(bundle)
    if manifest is None:
        raise LinregError(f"{bundle}: has no manifest.json to check its files with; run: linreg export -m {bundle}")
    check_bundle(bundle, manifest)
    copy = work / (bundle.resolve().name or "bundle")
    for entry in manifest.files:
        write_atomic(copy / entry.name, read_entry(bundle, entry))
    write_atomic(copy / CHECKSUM_FILE, checksums(manifest.files))
    write_atomic(copy / MANIFEST_FILE, read_inside(bundle, MANIFEST_FILE, limit=MAX_JSON_BYTES))
    return copy


def _untrusted(bundle: Path, file: str, *, trust: bool) -> str:
    """Why a program of the bundle is not run; empty where this user made it, or trusts it."""
    if not file_inside(bundle, file):
        return f"{file} is not in the bundle; run: linreg export --format {file.partition('.')[2]}"
    kind = format_of(file)
    assert kind is not None
    data = read_listed(bundle, file, limit=MAX_STATE_BYTES)
    try:
        trusted_bytes(kind[0], file, data, Trust.from_option(trust))
    except UntrustedError as error:
        return str(error)
    return ""


def _compile_standalone(deploy: Path, bundle: Path, work: Path) -> str:
    """Compile the program that has the bundle's model.c in it; why there is none, or nothing.

    Only the checked bytes of model.c and the header that they begin with are compiled, in a folder of their own.
    """
    folder = work / "standalone-c"
    data = read_listed(bundle, "model.c", limit=MAX_STATE_BYTES)
    write_atomic(folder / "model.c", data)
    write_atomic(folder / "model.h", header_of(data))
    sources = [deploy / "standalone-c" / "main.c", folder / "model.c"]
    includes = [f"-I{deploy / 'vectors'}", "-iquote", str(folder)]
    fma = [flag for flag in flags() if flag == "-mfma"]
    system = ["-D_POSIX_C_SOURCE=200809L", "-D_FILE_OFFSET_BITS=64"]
    try:
        command = [*compiler(), "-std=c11", "-O2", *fma, *system, *includes, *map(str, sources)]
        done = _run([*command, "-o", str(work / STANDALONE), "-lm"])
    except LinregError as error:
        return str(error)
    lines = [line for line in done.stderr.splitlines() if "error" in line] or ["it said nothing"]
    return "" if done.returncode == 0 else f"it does not compile: {lines[0][:200]}"


def time_runtimes(
    runtimes: list[Runtime], bundle: Path, *, processes: int, progress: Callable[[int], None] | None = None
) -> list[RuntimeRow]:
    """Prove every runtime by the vectors of the bundle, then time it in processes that alternate with Python's.

    Args:
        runtimes: of `find_runtimes`.
        bundle: that is run.
        processes: of each runtime at each batch.
        progress: called with the number of processes done.

    Raises:
        MismatchError: a runtime answers wrongly.
        LinregError: a program fails.
    """
    python = Runtime(name=PYTHON, command=tuple(child_command("bench.programs.process")))
    everyone = [python, *runtimes]
    proofs = {runtime.name: _verify(runtime, bundle) for runtime in everyone}
    samples: dict[tuple[str, int], list[dict[str, Any]]] = {}
    shuffle, done = random.Random(SEED).shuffle, 0
    for _ in range(processes):
        for batch in BATCHES:
            shuffle(everyone)
            for runtime in everyone:
                samples.setdefault((runtime.name, batch), []).append(_time(runtime, bundle, batch))
                done += 1
                if progress is not None:
                    progress(done)
    return [
        _row(runtime.name, batch, proofs[runtime.name], samples) for batch in BATCHES for runtime in (python, *runtimes)
    ]


def _row(name: str, batch: int, proof: str, samples: dict[tuple[str, int], list[dict[str, Any]]]) -> RuntimeRow:
    medians = {other: [_median(sample) for sample in samples[other, batch]] for other in (name, PYTHON)}
    ratios = [
        Ratio(estimate=own / base, low=own / base, high=own / base)
        for own, base in zip(medians[name], medians[PYTHON], strict=True)
    ]
    blocks = [np.array(sample["block_s"], dtype=np.float64) for sample in samples[name, batch]]
    return RuntimeRow(
        name=name,
        version=str(samples[name, batch][0]["version"]),
        batch=batch,
        proof=proof,
        blocks=tuple(
            Blocks(calls=sample["calls"], block_s=block, host_s=block)
            for sample, block in zip(samples[name, batch], blocks, strict=True)
        ),
        median_s=float(np.median(medians[name])),
        ratio=None if name == PYTHON else over_processes(ratios),
    )


def _median(sample: dict[str, Any]) -> float:
    return float(np.median(sample["block_s"])) / int(sample["calls"])


def _verify(runtime: Runtime, bundle: Path) -> str:
    done = _run([*runtime.command, "verify", str(bundle)])
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0:
        shown = (lines or done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise MismatchError(f"{runtime.name}: does not pass the vectors of {bundle}: {shown[:300]}")
    return lines[-2] if len(lines) > 1 else ""


def _time(runtime: Runtime, bundle: Path, batch: int) -> dict[str, Any]:
    done = _run([*runtime.command, "bench", str(bundle), str(batch), str(BLOCKS)])
    try:
        sample: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        if done.returncode != 0 or sample["batch"] != batch or len(sample["block_s"]) != BLOCKS:
            raise ValueError("it has other figures than were asked")
    except (ValueError, IndexError, KeyError, TypeError) as error:
        said = (done.stderr.strip().splitlines() or [one_line(error)])[-1]
        raise LinregError(f"{runtime.name}: bench at batch {batch} failed: {said[:300]}") from None
    return sample


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinregError(f"{command[0]}: {one_line(error)}") from error
