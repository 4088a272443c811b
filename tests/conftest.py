"""What many tests share: a bundle that is made once a session, tables, and the command line in process."""

import atexit
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas  # noqa: F401  (a command in process would hide it from a pyarrow that has not seen it yet)
import pytest

from tests.quick_exports import forked_probes, one_table_of_functions

# The ledger of trusted programs is a file of the user's; tests have their own, set before any fixture.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="linreg-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"])

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PENGUINS = TESTS / "data" / "penguins.csv"
FEATURES = "bill_length_mm,bill_depth_mm,flipper_length_mm"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--every-operation` sweeps the whole of what tests/cli/test_interruptions.py samples by default."""
    parser.addoption("--every-operation", action="store_true", help="kill commands at every operation, not every 12th")
    parser.addoption("--planted-faults", type=Path, help="where tests/benchmark/long writes its table of faults")
    parser.addoption("--random-modules", type=Path, help="where tests/benchmark/long counts exports of random modules")
    parser.addoption("--scale", type=Path, help="where tests/benchmark/long writes its table of large tables")
    parser.addoption("--source-code", type=Path, help="where tests/benchmark/long writes the cost of a network as C")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Benchmarks run alone, with --benchmark-only; --benchmark-disable runs their checks beside the tests.

    tests/deploy needs compilers, node and a browser, tests/processors cross-compilers and qemu, tests/ray and
    tests/s3 environments of their own, and tests/benchmark/long takes minutes: they run where they are named.
    """
    benchmarks = Path(__file__).parent / "benchmark"
    for folder in (TESTS / "deploy", TESTS / "processors", TESTS / "ray", TESTS / "s3", benchmarks / "long"):
        named = any(f"{folder.parent.name}/{folder.name}" in str(word) for word in config.invocation_params.args)
        if collection_path == folder and not named:
            return True
    if config.getoption("benchmark_only"):
        return True if collection_path.is_file() and benchmarks not in collection_path.parents else None
    return True if collection_path == benchmarks and not config.getoption("benchmark_disable") else None


@pytest.fixture(scope="session", autouse=True)
def quick_exports() -> Iterator[None]:
    """Do once what each export of a module would do again, if tests of this session load torch.

    What was imported to collect the tests is garbage at no time: the collector need not look at it again and again.
    """
    gc.collect()
    gc.freeze()
    if "torch" not in sys.modules:
        yield
        return
    with forked_probes(), one_table_of_functions():
        yield


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle of the exact fit of the penguins, with every artifact that a runtime loads."""
    from export.bundle.export import export
    from export.formats.names import RUNTIME_FORMATS
    from linreg.fitting import fit

    bundle = tmp_path_factory.mktemp("penguins")
    model = fit(PENGUINS, target="body_mass_g", features=FEATURES.split(","))
    export(model.save(bundle), bundle, formats=RUNTIME_FORMATS)
    before = contents(bundle)
    yield bundle
    assert contents(bundle) == before, "a test wrote into the shared bundle"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def forge(bundle: Path, **changes: bytes) -> None:
    """Change files of a bundle as an attacker does, who mends manifest.json and SHA256SUMS as well.

    `forge(bundle, model_onnx=...)` changes model.onnx; a file that was not listed is listed, with a proof.
    """
    from linreg.manifest import entry_of, manifest_files, read_manifest

    manifest = read_manifest(bundle)
    assert manifest is not None
    entries = {entry.name: entry for entry in manifest.files}
    for key, data in changes.items():
        name = key.replace("_", ".")
        (bundle / name).write_bytes(data)
        old = entries.get(name)
        entries[name] = entry_of(name, data, old.proof if old else {"format": "pt2"})
    for name, data in manifest_files(manifest.state_sha256, list(entries.values())).items():
        (bundle / name).write_bytes(data)


@pytest.fixture
def bundle(penguins: Path, tmp_path: Path) -> Path:
    """A copy of the penguins' bundle that a test may change: `penguins` in the folder where commands run."""
    return Path(shutil.copytree(penguins, tmp_path / "penguins"))


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a table of these lines."""

    def write(*lines: str, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def failure(self, code: int = 1) -> str:
        """The one line that an error is; notes may stand before it."""
        assert (self.code, self.out) == (code, ""), self
        *notes, last = self.err.splitlines()
        assert last.startswith("error: "), self
        assert not [line for line in notes if line.startswith("error: ")], self
        return last


@pytest.fixture
def linreg(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Ended]]:
    """Run the command line in this process, in an empty folder: `linreg("train", "-o", bundle)`.

    The modules that it took from this folder are forgotten, since another test may have a file of the same name.
    """
    from linreg.cli.main import main

    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["linreg", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    yield run
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


# ---- what the tests of `linreg bench` share --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frozen() -> None:
    """A measurement collects garbage first: less of it is looked at, so that the tests are quick."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def threads() -> Iterator[None]:
    """`bench` gives torch one thread; the tests after it have the old number."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def two_processes(
    penguins: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The real `linreg bench` in two processes, once a session: how it ended, and the folder where it ran."""
    folder = tmp_path_factory.mktemp("two-processes")
    words = ["-m", penguins, "--processes", "2", "--rounds", "10", "--batch", "1", "-o", "out", "--plots", "plots"]
    command = [sys.executable, "-m", "linreg", "bench", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False), folder


@pytest.fixture
def report(two_processes: tuple[subprocess.CompletedProcess[str], Path]) -> dict[str, Any]:
    """What it reported; a copy that a test may change."""
    return json.loads((two_processes[1] / "out" / "bench.json").read_text())


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[Any]]:
    """Let `linreg bench` give a report made before; it records what was asked."""
    import linreg.cli.bench as linreg_bench
    from bench.report.report import Report

    def give(report: dict[str, Any]) -> list[Any]:
        asked: list[Any] = []
        kept = Report.from_json(json.dumps(report))
        monkeypatch.setattr(linreg_bench, "measure", lambda request, **_: asked.append(request) or kept)
        return asked

    return give
