"""Compile the C source of bundles for processors that you do not own, and run the test vectors under qemu.

    python3 deploy/processors/check.py [BUNDLE ...]
    python3 deploy/processors/check.py --packages      prints the Debian packages that this system lacks

It needs Python's standard library alone. The README.md beside it explains the table.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundles import BundleError, CSource, c_sources
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
    """Print one table for each C source; the exit code."""
    if words == ["--packages"]:
        print(*sorted({package for target in TARGETS for package in target.missing}))
        return 0
    reference = HERE.parents[1] / "artifacts" / "reference"
    bundles = [Path(word).resolve() for word in words] or [reference / "penguins", reference / "line"]
    passed = failed = 0
    for bundle in bundles:
        try:
            sources = c_sources(bundle)
        except BundleError as error:
            print(f"failed: {error}\n")
            failed += 1
            continue
        for source in sources:
            for cells in _table(source):
                passed += len(cells) > 1
                failed += cells[0].startswith("failed: ")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def _table(source: CSource) -> Iterator[tuple[str, ...]]:
    """Print the table of a C source, row by row, and yield the cells beside each processor."""
    if source.not_run:
        print(f"{source.title}: not run: {source.not_run}\n")
        return
    print(f"{source.title}:\n\n{_row(*HEADER)}\n{_row(*('-' * len(title) for title in HEADER))}")
    for target in TARGETS:
        cells = _tried(target, source)
        print(_row(target.name, *cells), flush=True)
        yield cells
    print()


def _tried(target: Target, source: CSource) -> tuple[str, ...]:
    """Return the cells of a row, or the one cell that says why there are none."""
    if target.missing:
        return (f"missing: apt-get install --no-install-recommends {' '.join(target.missing)}",)
    try:
        return (*answers(target, source), *costs(target, source))
    except (CheckError, TraceError) as error:
        return (f"failed: {error}",)


def answers(target: Target, source: CSource) -> tuple[str, str]:
    """Compile a bundle's C source for a processor, and run its vectors.

    Returns:
        How many vectors passed, and how near they were.

    Raises:
        CheckError: the vectors fail, or some were not run.
    """
    with tempfile.TemporaryDirectory() as name:
        program = Build(target, source, Path(name)).program(STANDALONE / "main.c")
        return _answers(run(target.command(program, "verify", "."), source.bundle), source.bundle)


def costs(target: Target, source: CSource) -> tuple[str, ...]:
    """Compile a bundle's C source for a processor, and trace one call.

    Returns:
        Bytes of code, of data and of the library's code, bytes of stack, and instructions.

    Raises:
        CheckError: it does not compile, or does not run.
        TraceError: the trace of the call is not whole.
    """
    with tempfile.TemporaryDirectory() as name:
        build = Build(target, source, Path(name))
        model = build.sizes(build.model)
        library = f"{build.sizes(build.linked()).code - model.code} B" if target.board else "the system's"
        cost = build.traced()
    return (f"{model.code} B", f"{model.data} B", library, f"{cost.stack_bytes} B", f"{cost.instructions}")


class Build:
    """What is compiled of one C source for one processor, in a folder."""

    def __init__(self, target: Target, source: CSource, folder: Path) -> None:
        self._target, self._source, self._folder = target, source, folder
        self._compiler = [f"{target.compiler}-gcc", *target.flags, *STRICT]
        self.model = self._object(source.path)
        self._library = [self._object(needed) for needed in target.library]
        (folder / "model.h").write_text(source.header(), encoding="ascii")

    def _object(self, source: Path) -> Path:
        made = self._folder / f"{source.stem}.o"
        run([*self._compiler, "-std=c99", "-Wconversion", "-ffunction-sections", "-c", source, "-o", made])
        return made

    def program(self, source: Path) -> Path:
        """Compile and link a program around the model."""
        program = self._folder / source.stem
        dialect = ["-std=c11", *SYSTEM, *INCLUDES, f"-I{self._folder}"]
        objects: list[str | Path] = [self.model, *self._library, *self._target.link_words, "-lm"]
        run([*self._compiler, *dialect, source, *objects, "-o", program])
        return program

    def linked(self) -> Path:
        """Link the model with no more than it calls."""
        linked = self._folder / "linked"
        entry = ["-nostartfiles", "-static", f"-Wl,--gc-sections,-e,{self._source.prefix}_predict"]
        run([*self._compiler, *entry, self.model, *self._library, "-lm", "-o", linked])
        return linked

    def sizes(self, path: Path) -> Sizes:
        """Read the sizes of the sections that are in the memory of the processor."""
        text = run([f"{self._target.compiler}-size", "-A", path])
        sections = re.findall(r"^(\.\S+)\s+(\d+)", text, re.MULTILINE)
        code = sum(int(size) for name, size in sections if name.startswith(".text"))
        data = sum(int(size) for name, size in sections if re.match(r"\.s?(rodata|data|bss)|\.got|\.toc", name))
        return Sizes(code=code, data=data)

    def traced(self) -> CallCost:
        """Trace one call on the first vectors."""
        trace = self._folder / "trace"
        run(self._target.command(self.program(HERE / "call.c"), ".", trace=trace), self._source.bundle)
        with trace.open(encoding="utf-8", errors="replace") as lines:
            return call_cost(lines, self._target.stack_pointer)


def _answers(text: str, bundle: Path) -> tuple[str, str]:
    """Return how many vectors passed, all that the bundle has, and how near they were."""
    cases = len(list(bundle.glob("test_data_set_*")))
    found = re.fullmatch(r"standalone-c: (\d+) cases, (.+)\n(\d+) passed, 0 failed\n", text)
    if found is None or not int(found[1]) == int(found[3]) == cases:
        raise CheckError(f"expected {cases} vectors to pass, got: {' '.join(text.split())}")
    return f"{cases} passed", found[2].removeprefix("worst error ").replace("of what is allowed", "of allowed")


def run(words: Sequence[str | Path], folder: Path | None = None) -> str:
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
