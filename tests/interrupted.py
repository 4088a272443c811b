"""`python -m tests.interrupted FOLDER`: run commands in forked children that die at their n-th operation on files.

Reads lines of JSON from standard input, each a list of `[n, words]` that run at the same time. A child changes to
FOLDER, runs the command line with its words, and dies by os._exit at the n-th operation, without any cleaning up; n = 0
lets it end. Prints a list of exit codes for each line: KILLED where a child died so. What the children print goes to
FOLDER/log. Everything heavy is imported once, before the first fork.
"""

import importlib
import json
import os
import sys
from pathlib import Path

KILLED = 99
LOST = 98
OPERATIONS = ("open", "mkdir", "pwrite", "truncate", "fsync", "replace", "unlink", "rmdir", "chmod", "fchmod")
MODULES = (
    *("matplotlib.pyplot", "onnx.checker", "onnxruntime", "torch._dynamo", "torch.export", "pyarrow.csv", "rich.table"),
    *(
        "export.bundle.export",
        "export.bundle.verify",
        "export.bundle.integrity",
        "export.formats.torchscript",
        "bench.benchmark",
        "bench.report.page",
    ),
    *("linreg.cli.main", "linreg.data", "linreg.training", "linreg.plots"),
)


def main() -> None:
    """Answer every line."""
    folder = Path(sys.argv[1])
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("torch").set_num_threads(1)  # threads do not survive a fork
    for line in sys.stdin:
        children = [fork(folder, count, words) for count, words in json.loads(line)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


def fork(folder: Path, count: int, words: list[str]) -> int:
    child = os.fork()
    if child == 0:
        try:
            run(folder, count, words)
        finally:
            os._exit(LOST)
    return child


def run(folder: Path, count: int, words: list[str]) -> None:
    from linreg.cli.main import main as command

    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    turns = 0

    def dying(real):
        def operation(*arguments, **options):
            nonlocal turns
            if real.__name__ != "open" or arguments[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                turns += 1
                if turns == count:
                    os._exit(KILLED)
            return real(*arguments, **options)

        return operation

    for name in OPERATIONS:
        setattr(os, name, dying(getattr(os, name)))
    sys.argv = ["linreg", *words]
    try:
        command()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))


if __name__ == "__main__":
    main()
