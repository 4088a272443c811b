"""Child processes that write files, and what the tests of files look at afterwards."""

import os
import subprocess
import sys
import textwrap
import time

import pytest

from linreg import files
from linreg.errors import LinregError

STALE = files.STALE_AFTER_S + 60
NOBODY = 65534


def child(script, *arguments, **options):
    """A Python process that runs `script`; SIGKILL and resource limits are for it alone."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom linreg.files import *\nfrom linreg.folders import *\n"
        + textwrap.dedent(script)
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output(script, *arguments, **options):
    process = child(script, *arguments, **options)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out.strip()


def refused(match, action, *arguments, kind=LinregError, **options):
    with pytest.raises(kind, match=match) as caught:
        action(*arguments, **options)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def age(path):
    then = time.time() - STALE
    os.utime(path, (then, then), follow_symlinks=False)
