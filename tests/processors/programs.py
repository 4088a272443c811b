"""Small C programs compiled for a processor, and run on it."""

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
VECTORS = HERE.parents[1] / "deploy" / "vectors"


def output(target, folder: Path, name: str, *words: object, library: tuple[Path, ...] = ()) -> list[str]:
    """Compile a program of this folder with what stands beside it, run it in the folder, and return its lines."""
    program = folder / name
    compiler = [f"{target.compiler}-gcc", *target.flags, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"]
    sources = [HERE / f"{name}.c", *library, *target.link_words]
    made = subprocess.run([*compiler, f"-I{VECTORS}", *sources, "-lm", "-o", program], capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
    command = target.command(program, *map(str, words))
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()
