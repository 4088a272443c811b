"""A PostgreSQL server of the tests' own, reached through a socket in its folder and by no network."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from export.formats.sql_text import TABLE, quoted
from tests.sql_databases import Rows

SERVERS = Path("/usr/lib/postgresql")
NUMBERS = {"Infinity": "inf", "-Infinity": "-inf"}


@contextmanager
def started_postgres() -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Start a server, and ask it with psql; it does not run as root."""
    found = sorted(SERVERS.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    assert found, "no PostgreSQL; install what deploy/missing prints"
    programs, folder = found[-1].parent, Path(tempfile.mkdtemp(prefix="linreg-postgres-"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    try:
        if user:
            shutil.chown(folder, "postgres")
        _run(
            [*user, programs / "initdb", "-D", folder / "data", "--auth=trust", "-U", "postgres", "-E", "UTF8"], folder
        )
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        control = [*user, programs / "pg_ctl", "-D", folder / "data", "-w"]
        _run([*control, "-l", folder / "log", "-o", options, "start"], folder)
        try:
            yield partial(_answers, folder)
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _answers(folder: Path, query: str, columns: Sequence[str], rows: Rows, explain: str = "") -> list[tuple[Any, ...]]:
    described = ", ".join(f"{quoted(name)} DOUBLE PRECISION" for name in columns)
    lines = ["\t".join("\\N" if value is None else repr(value) for value in row) for row in rows]
    words = [
        f"BEGIN; CREATE TABLE {TABLE} ({described});",
        f"COPY {TABLE} FROM STDIN;",
        *lines,
        "\\.",
        f"{explain}\n{query};" if explain else f"COPY (\n{query}\n) TO STDOUT;",
        "ROLLBACK;",
    ]
    command = ["psql", "-h", str(folder), "-U", "postgres", "-XAtqv", "ON_ERROR_STOP=1", "postgres"]
    text = "\n".join(words) + "\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [tuple(_value(cell) for cell in line.split("\t")) for line in done.stdout.splitlines()]


def _value(cell: str) -> float | str | None:
    if cell == "\\N":
        return None
    try:
        return float(NUMBERS.get(cell, cell))
    except ValueError:
        return cell
