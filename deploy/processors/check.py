"""Compile the model.c of bundles for processors that you do not own, and run the test vectors under qemu.

    python3 deploy/processors/check.py [BUNDLE ...]
    python3 deploy/processors/check.py --packages      prints the Debian packages that this system lacks

It needs Python's standard library alone. The README.md beside it explains the table.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from call_trace import CallCost, TraceError, call_cost
from targets import HERE, STANDALONE, TARGETS, Target

INCLUDES = [f"-I{HERE.parent / 'vectors'}", f"-I{STANDALONE}"]
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-O2"]
SYSTEM = ["-D_POSIX_C_SOURCE=200809L", "-D_FILE_OFFSET_BITS=64"]
LIMIT_S = 120.0
HEADER = ("processor", "vectors", "answers", "code", "data", "library code", "stack", "instructions")
WIDTHS = (22, 8, 17, 6, 6, 12, 6, 12)


class CheckError(Exception):
    """A bundle did not compile for a processor, or its program did not end as it should."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of machine code, and of constants and variables."""

    code: int
    data: int


def main(words: list[str]) -> int:
    """Print one table a bundle; the exit code."""
    if words == ["--packages"]:
        print(*sorted({package for target in TARGETS for package in target.missing}))
        return 0
    reference = HERE.parents[1] / "artifacts" / "reference"
    bundles = [Path(word).resolve() for word in words] or [reference / "penguins", reference / "line"]
    passed = failed = 0
    for bundle in bundles:
        print(f"{bundle.name}:\n\n{_row(*HEADER)}\n{_row(*('-' * len(title) for title in HEADER))}")
        for target in TARGETS:
            if target.missing:
                print(_row(target.name, f"missing: apt-get install --no-install-recommends {' '.join(target.missing)}"))
                continue
            try:
                print(_row(*check(target, bundle)), flush=True)
                passed += 1
            except (CheckError, TraceError) as error:
                print(_row(target.name, f"failed: {error}"), flush=True)
                failed += 1
        print()
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def check(target: Target, bundle: Path) -> tuple[str, ...]:
    """Compile a bundle's model.c for a processor, run its vectors and trace one call; the cells of a row.

    Raises:
        CheckError: the vectors fail, or some were not run.
        TraceError: the trace of the call is not whole.
    """
    with tempfile.TemporaryDirectory() as name:
        build = _Build(target, bundle, Path(name))
        answers = _answers(_run(target.command(build.program(STANDALONE / "main.c"), "verify", "."), bundle), bundle)
        model = build.sizes(build.model)
        library = f"{build.sizes(build.linked()).code - model.code} B" if target.board else "the system's"
        cost = build.traced()
    cells = (*answers, f"{model.code} B", f"{model.data} B", library, f"{cost.stack_bytes} B", f"{cost.instructions}")
    return (target.name, *cells)


class _Build:
    """What is compiled of one bundle for one processor, in a folder."""

    def __init__(self, target: Target, bundle: Path, folder: Path) -> None:
        self._target, self._bundle, self._folder = target, bundle, folder
        self._compiler = [f"{target.compiler}-gcc", *target.flags, *STRICT]
        self.model = self._object(bundle / "model.c")
        self._library = [self._object(source) for source in target.library]

    def _object(self, source: Path) -> Path:
        made = self._folder / f"{source.stem}.o"
        _run([*self._compiler, "-std=c99", "-Wconversion", "-ffunction-sections", "-c", source, "-o", made])
        return made

    def program(self, source: Path) -> Path:
        """Compile and link a program around the model."""
        program = self._folder / source.stem
        dialect = ["-std=c11", *SYSTEM, *INCLUDES, f"-I{self._bundle}"]
        objects: list[str | Path] = [self.model, *self._library, *self._target.link_words, "-lm"]
        _run([*self._compiler, *dialect, source, *objects, "-o", program])
        return program

    def linked(self) -> Path:
        """Link the model with no more than it calls."""
        linked = self._folder / "linked"
        entry = ["-nostartfiles", "-static", "-Wl,--gc-sections,-e,linreg_predict"]
        _run([*self._compiler, *entry, self.model, *self._library, "-lm", "-o", linked])
        return linked

    def sizes(self, path: Path) -> Sizes:
        """Read the sizes of the sections that are in the memory of the processor."""
        text = _run([f"{self._target.compiler}-size", "-A", path])
        sections = re.findall(r"^(\.\S+)\s+(\d+)", text, re.MULTILINE)
        code = sum(int(size) for name, size in sections if name.startswith(".text"))
        data = sum(int(size) for name, size in sections if re.match(r"\.s?(rodata|data|bss)|\.got|\.toc", name))
        return Sizes(code=code, data=data)

    def traced(self) -> CallCost:
        """Trace one call on the first vectors."""
        trace = self._folder / "trace"
        _run(self._target.command(self.program(HERE / "call.c"), ".", trace=trace), self._bundle)
        with trace.open(encoding="utf-8", errors="replace") as lines:
            return call_cost(lines, self._target.stack_pointer)


def _answers(text: str, bundle: Path) -> tuple[str, str]:
    """Return how many vectors passed, all that the bundle has, and how near they were."""
    cases = len(list(bundle.glob("test_data_set_*")))
    found = re.fullmatch(r"standalone-c: (\d+) cases, (.+)\n(\d+) passed, 0 failed\n", text)
    if found is None or not int(found[1]) == int(found[3]) == cases:
        raise CheckError(f"expected {cases} vectors to pass, got: {' '.join(text.split())}")
    return f"{cases} passed", found[2].removeprefix("worst error ").replace("of what is allowed", "of allowed")


def _run(words: Sequence[str | Path], folder: Path | None = None) -> str:
    """Run a command, in a folder or here, and return what it prints.

    Semihosting has 256 bytes for all words of a program, so it is started in the bundle.
    """
    if shutil.which(words[0]) is None:
        raise CheckError(f"{words[0]} is not installed")
    try:
        ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT_S, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise CheckError(f"{Path(words[0]).name} ran for more than {LIMIT_S:g} s") from error
    if ended.returncode != 0:
        lines = (ended.stdout + ended.stderr).strip().splitlines()
        said = " / ".join(lines[:3]) or "it printed nothing, as after a fault or without memory"
        raise CheckError(f"{Path(words[0]).name} ended with {ended.returncode}: {said}")
    return ended.stdout


def _row(*cells: str) -> str:
    """Return a line of a Markdown table; a message has one cell beside the processor."""
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False))} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
