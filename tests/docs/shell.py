"""Prints the `sh` blocks of a page as one script: `python -m tests.docs.shell [--without-set-up] PAGE`, for .ci/run."""

import sys
from pathlib import Path

from tests.docs.pages import shell_of

if __name__ == "__main__":
    *options, page = sys.argv[1:]
    sys.stdout.write(shell_of(Path(page).read_text(), set_up="--without-set-up" not in options))
