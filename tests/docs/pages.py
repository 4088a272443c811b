"""Reads the code blocks of a Markdown page, runs them in order in one shell, and compares what they print.

A `sh` block is run; so is a `python` block, as a program of its own. A block with a title is a file, written before the
blocks after it run. A `text` block directly after a block is what that one prints, on stdout and stderr together:

- a line `...` stands for any number of lines;
- times, and the figures and columns `error / allowed` and `bit-equal`, which depend on the processor, are not compared;
- `data-measured="why"` in the fence: numbers and verdicts are not compared either.

`data-not-run="why"` in a fence excuses its block.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SET_UP = "make setup"
OUTPUT = "text"
ANY_LINES = "..."

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_MARK = "\x1e block"
_TIME = re.compile(r"\b\d[\d,.]* ?(ns|us|µs|ms|s|min)\b")
_ERROR = re.compile(r"(?<=allowed )\d[\d.]*")  # depends on the processor, as the columns below do
_NUMBER = re.compile(r"[+-]?\d[\d,.]*(e[+-]?\d+)?")
_VERDICT = re.compile(r"\b(fastest|faster|slower|equivalent|inconclusive|never|at once|calls)\b")
_MACHINE_COLUMNS = re.compile(r"seconds|time|allowed|bit-equal")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, attributes, text, place in the page, and the output block after it."""

    language: str
    attributes: dict[str, str]
    text: str
    start: int
    end: int
    line: int
    output: "Block | None" = None

    @property
    def is_file(self) -> bool:
        return "title" in self.attributes

    @property
    def is_excused(self) -> bool:
        return bool(self.attributes.get("data-not-run"))


def blocks(page: str) -> list[Block]:
    """The blocks of a page in order; an output block belongs to the block directly before it."""
    found: list[Block] = []
    for fence in _FENCE.finditer(page):
        language, info, text = fence.groups()
        block = Block(
            language=language,
            attributes=dict(_ATTRIBUTE.findall(info)),
            text=text,
            start=fence.start(3),
            end=fence.end(3),
            line=page.count("\n", 0, fence.start()) + 1,
        )
        between = page[found[-1].end + len("```") : fence.start()] if found else "nothing"
        if language == OUTPUT and not between.strip() and found[-1].output is None:
            found[-1] = replace(found[-1], output=block)
        else:
            found.append(block)
    return found


def shell_of(page: str, *, set_up: bool) -> str:
    """All `sh` blocks of a page, as one script; without the block that sets up the environment unless it is wanted."""
    chosen = [block for block in blocks(page) if block.language == "sh" and not block.is_excused]
    return "".join(block.text for block in chosen if set_up or SET_UP not in block.text)


def run(page: str, folder: Path) -> list[tuple[Block, str]]:
    """Run a page's blocks in one shell in `folder`, which is as a fresh clone; what each block printed.

    Raises:
        AssertionError: a block failed; the message has all that was printed.
    """
    script, ran = ["set -euo pipefail"], []
    for number, block in enumerate(blocks(page)):
        if block.is_excused:
            continue
        if block.is_file:
            written = folder / ".blocks" / str(number)
            written.parent.mkdir(exist_ok=True)
            written.write_text(block.text)
            title = block.attributes["title"]
            script += [f"mkdir -p '{Path(title).parent}'", f"cp .blocks/{number} '{title}'"]
            continue
        script.append(f"echo '{_MARK}'")
        if block.language == "python":
            script.append(f"python - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK")
        else:
            script.append("\n".join(line for line in block.text.splitlines() if not line.startswith(SET_UP)))
        ran.append(block)
    (folder / ".script").write_text("\n".join(script) + "\n")
    done = subprocess.run(
        ["bash", ".script"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(folder / ".state"),  # a reader has exported nothing before
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    _, *printed = done.stdout.split(f"{_MARK}\n")
    assert done.returncode == 0, f"exit {done.returncode} in block at line {ran[len(printed) - 1].line}:\n{done.stdout}"
    return list(zip(ran, printed, strict=True))


def clone(folder: Path) -> Path:
    """The tracked files of the repository in a new folder, with this environment as its .venv."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name]
    if not names:  # an unpacked source distribution: all that is in it
        names = [
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts
        ]
    for name in names:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def difference(block: Block, printed: str) -> str:
    """How what was printed differs from the output block, as a diff; empty if it does not."""
    assert block.output is not None
    measured = "data-measured" in block.output.attributes
    expected, got = (comparable(text, measured=measured) for text in (block.output.text, printed))
    got = elided(got, expected, same=lambda line: line)
    return "\n".join(difflib.unified_diff(expected, got, "the page", "printed", lineterm=""))


def comparable(text: str, *, measured: bool) -> list[str]:
    """The lines of an output, without what differs from run to run."""
    lines: list[str] = []
    machine: set[int] = set()
    for line in text.rstrip("\n").splitlines():
        if "┃" in line:
            names = line.split("┃")
            machine = {place for place, name in enumerate(names) if _MACHINE_COLUMNS.search(name.strip())}
        if "│" in line:
            cells = line.split("│")
            line = "│".join("" if place in machine else cell for place, cell in enumerate(cells))
        line = _ERROR.sub("#", _TIME.sub("#", line))
        if measured:
            line = _VERDICT.sub("", _NUMBER.sub("#", line))
        if set(line) & set("━─┏└╇"):
            line = "rule"  # as wide as the cells are
        lines.append(" ".join(line.split()))
    return lines


def shape(line: str) -> str:
    """A line without its numbers, verdicts and widths."""
    return "".join(comparable(line, measured=True))


def elided(lines: list[str], pattern: list[str], *, same: Callable[[str], str]) -> list[str]:
    """The lines that a pattern shows, with `...` where it has one; all lines if they do not fit the pattern.

    The part before the first `...` begins the lines and the part after the last one ends them, whatever they hold. A
    part between stands where lines first are the `same` as its own.
    """
    parts: list[list[str]] = [[]]
    for line in pattern:
        if line == ANY_LINES:
            parts.append([])
        else:
            parts[-1].append(line)
    first, *between, last = parts if len(parts) > 1 else [lines, []]
    end = len(lines) - len(last)
    kept, at = lines[: len(first)], len(first)
    for part in between:
        wanted = [same(line) for line in part]
        starts = [k for k in range(at, end) if [same(line) for line in lines[k : k + len(part)]] == wanted]
        if not starts:
            return lines
        kept += [ANY_LINES, *lines[starts[0] : starts[0] + len(part)]]
        at = starts[0] + len(part)
    if at > end:
        return lines
    return kept if len(parts) == 1 else [*kept, ANY_LINES, *lines[end:]]


def recorded(page: str, printed: list[tuple[Block, str]]) -> str:
    """The page with its output blocks rewritten where what was printed differs."""
    for block, text in reversed(printed):
        if block.output is not None and difference(block, text):
            lines = [line.rstrip() for line in text.rstrip("\n").splitlines()]
            lines = elided(lines, block.output.text.splitlines(), same=shape)
            page = page[: block.output.start] + "\n".join(lines) + "\n" + page[block.output.end :]
    return page
