"""deploy/processors as its users start it, and its modules as a test imports them."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PROCESSORS = ROOT / "deploy" / "processors"
REFERENCE = ROOT / "artifacts" / "reference"
COST = REFERENCE / "benchmarks" / "source_code.md"


def check(*words: object, **settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROCESSORS / "check.py", *words]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=500, **settings)


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row by its processor, of the last table."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells if row[0] not in ("processor", "---------")}


def cost_table() -> dict[str, list[str]]:
    """The cells of each row of `COST`, by what the row is about."""
    lines = [line for line in COST.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {row[0]: row[1:] for row in cells}


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROCESSORS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded
