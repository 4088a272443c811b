"""The programs of deploy/ that call liblinreg.so from another language than C."""

import subprocess
from pathlib import Path

from tests.deploy.bundles import ROOT, tool

CALLERS = {
    "rust": ("cargo", "cargo"),
    "go": ("go", "golang-go"),
    "csharp": ("mcs", "mono-mcs mono-runtime"),
    "java": ("javac", "default-jdk-headless"),
}
"""Each language, its compiler, and the Debian package that has it."""


def build_caller(language: str, library: Path, folder: Path) -> Path:
    """Build a program by its Makefile.

    Args:
        language: the name of its folder.
        library: the folder of liblinreg.so.
        folder: where the program goes.
    """
    tool(*CALLERS[language])
    words = [tool("make", "make"), "-C", ROOT / "deploy" / language, f"OUT={folder}", f"LIBRARY={library}"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warning" not in ended.stderr, ended.stderr
    return folder / f"linreg-{language}"
