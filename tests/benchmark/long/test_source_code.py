"""What a network of 16, 32, 16 and 1 values takes as C: bytes on a Cortex-M4F, and time beside ONNX Runtime's C API.

`--source-code FILE` writes the table; artifacts/reference/benchmarks/source_code.md is such a file. The programs are
those of deploy/, verified before they are timed, and timed in shuffled order in the same run.
"""

import subprocess
from pathlib import Path

import onnxruntime

from bench.analysis.parts import RuntimeRow
from bench.environment import describe_environment
from bench.programs.finding import Runtime
from bench.programs.runtimes import time_runtimes
from export.bundle.export import export
from linreg.config import FEWEST_RUNTIME_PROCESSES
from tests.deploy.c_builds import build
from tests.deploy.processors import module
from tests.deploy.standalone import DEPLOY, run, tool
from tests.feed_forward_networks import NETWORKS, network

targets, trace, bundles = module("targets"), module("call_trace"), module("bundles")
check = module("check")
CORTEX_M4F = "Cortex-M4F, hard float"
HOST = targets.Target(name="x86-64", compiler="x86_64-linux-gnu", emulator="env", packages=("gcc",), stack_pointer="")


def programs(bundle: Path, folder: Path) -> list[Runtime]:
    """Build deploy/c, and deploy/standalone-c with the network compiled in."""
    standalone = folder / "standalone"
    made = run(tool("make"), "-C", DEPLOY, f"BUNDLE={bundle}", f"OUT={standalone}")
    assert made.returncode == 0, made.stderr
    return [
        Runtime(name="standalone-c", command=(str(standalone / "linreg-standalone-c"),)),
        Runtime(name="c", command=(str(build("gcc", folder / "c")),)),
    ]


def timed(bundle: Path, folder: Path) -> dict[str, RuntimeRow]:
    """How near the answers of each program were, and how long a call at batch 1 takes."""
    rows = time_runtimes(programs(bundle, folder), bundle, processes=2 * FEWEST_RUNTIME_PROCESSES, batches=(1,))
    return {row.name: row for row in rows}


def scratch_bytes(source) -> int:
    """The memory that the caller gives a call of a float32 network."""
    return 4 * int(source.header().partition("_SCRATCH ")[2].partition("\n")[0])


def measured(folder: Path) -> list[tuple[str, ...]]:
    """The rows of the table, with a heading."""
    bundle = folder / "mlp"
    export(network("mlp"), bundle, inputs=[NETWORKS["mlp"][1]], formats=["onnx", "c"])
    (source,) = bundles.c_sources(bundle)
    target = next(target for target in targets.TARGETS if target.name == CORTEX_M4F)
    _, near = check.answers(target, source)
    code, data, library, stack, instructions = check.costs(target, source)
    (folder / "host").mkdir()
    host = check.Build(HOST, source, folder / "host")
    times = timed(bundle, folder)
    sizes = host.sizes(folder / "standalone" / "model.o")
    runtime = sum(path.stat().st_size for path in Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*"))
    own, api = times["standalone-c"], times["c"]
    model, scratch = (bundle / "model.onnx").stat().st_size, f"{scratch_bytes(source):,} B"
    return [
        ("per network", f"`model.c`, {CORTEX_M4F}", "`model.c`, x86-64", "ONNX Runtime's C API, x86-64"),
        ("code", code, f"{sizes.code} B", f"{runtime:,} B, the library"),
        ("weights and constants", data, f"{sizes.data} B", f"{model:,} B, model.onnx"),
        ("functions of the C library", library, "the system's", "the system's"),
        ("stack", stack, "not measured", "not measured"),
        ("scratch memory", scratch, scratch, "not measured"),
        ("vectors: worst error", near, _near(own.proof), _near(api.proof)),
        ("a call at batch 1", f"{instructions} instructions", _microseconds(own), _microseconds(api)),
    ]


def _near(proof: str) -> str:
    return proof.partition(", ")[2].removeprefix("worst error ").replace("of what is allowed", "of allowed")


def _microseconds(row: RuntimeRow) -> str:
    return f"{row.median_s * 1e6:.2f} µs"


def compiler(name: str) -> str:
    return subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def table_of(rows: list[tuple[str, ...]]) -> str:
    machine = describe_environment()
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return f"""# A small network without a runtime

16, 32, 16 and 1 values with ReLU and SiLU, 1,089 weights, float32, exported and proved, then compiled with `-O2`:
`make source-code-cost FILE=FILE`, on {machine.processor} ({machine.cores} cores),
onnxruntime {machine.versions["onnxruntime"]}, {compiler("gcc")}, {compiler("arm-none-eabi-gcc")}.

{lines[0]}|{"---|" * len(rows[0])}
{"".join(lines[1:])}"""


def test_a_network_takes_kilobytes_and_less_time_than_onnx_runtime(benchmark, tmp_path, request):
    rows: list[tuple[str, ...]] = []
    benchmark.pedantic(lambda: rows.extend(measured(tmp_path)), rounds=1)
    text = table_of(rows)
    print(f"\n{text}")
    if path := request.config.getoption("--source-code"):
        path.write_text(text, encoding="utf-8")
    bytes_taken = [int(row[1].removesuffix(" B")) for row in rows[1:4]]
    assert sum(bytes_taken) < 8192
    own, api = (float(cell.removesuffix(" µs")) for cell in rows[-1][2:])
    assert own < api
