"""A command that is interrupted while it locks a new bundle leaves neither the lock nor the folder."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from linreg.lock import LOCK_FILE

# A `linreg verify` whose work is to lock a bundle: `before` runs first, and `inside` while it holds the lock.
DRIVER = """
import os, signal, sys
before, inside = sys.argv[1:3]
sys.argv[1:] = ["verify", "."]
import export.bundle.verify as verify
import linreg.lock
from linreg.cli.main import main
from pathlib import Path

def work(*_):
    exec(before, globals())
    with linreg.lock.locked(Path("deep/bundle"), command="linreg test"):
        exec(inside, globals())

def end():
    os.kill(os.getpid(), signal.SIGTERM)

def ending_after(function):
    def call(*words, **options):
        result = function(*words, **options)
        end()
        return result
    return call

verify.checked_manifest = work
main()
"""


def start(folder: Path, before: str, inside: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", DRIVER, before, inside]
    return subprocess.Popen(
        words, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(folder: Path, before: str, inside: str) -> tuple[int, str]:
    process = start(folder, before, inside)
    out, err = process.communicate(timeout=60)  # until the process that watched has ended as well
    assert out == ""
    return process.returncode, err


LOADING = "from importlib.machinery import ModuleSpec; sys.modules['torch'] = torch = type(sys)('torch');"
LOADING += "torch.__spec__ = ModuleSpec('torch', None); torch.__spec__._initializing = True;"
MOMENTS = {
    "the work": ("", "end()"),
    "the import of torch": (LOADING, "end()"),
    "the making of the folders": ("os.mkdir = ending_after(os.mkdir)", ""),
    "the creation of the lock file": ("linreg.lock._is_at = ending_after(linreg.lock._is_at)", ""),
    "the locking": ("linreg.lock._acquire = ending_after(linreg.lock._acquire)", ""),
    "the naming of the holder": ("os.pwrite = ending_after(os.pwrite)", ""),
    "the removal": ("", "os.unlink = ending_after(os.unlink)"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_during(tmp_path, moment):
    code, err = run(tmp_path, *MOMENTS[moment])
    assert (code, err) == (143, "error: ended by SIGTERM; every file is whole, the old one or the new one\n")
    assert list(tmp_path.iterdir()) == []


def test_a_second_signal_from_outside_while_the_clean_up_takes_long(tmp_path):
    code, err = run(tmp_path, "", "import time; os.unlink = lambda _: time.sleep(600); end()")
    assert (code, err.count("\n")) == (-signal.SIGTERM, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_kill(tmp_path):
    code, err = run(tmp_path, "", "os.kill(os.getpid(), signal.SIGKILL)")
    assert (code, err) == (-signal.SIGKILL, "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_before_and_what_is_in_it_stay(tmp_path):
    (tmp_path / "deep" / "bundle").mkdir(parents=True)
    run(tmp_path, "", "Path('deep/bundle/mine').write_text('mine'); os.kill(os.getpid(), signal.SIGKILL)")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "bundle", "mine"]


HANDED_OVER = """
import subprocess
lock = next(int(link.name) for link in Path("/proc/self/fd").iterdir() if str(link.resolve()).endswith("-lock"))
subprocess.Popen(["cat"], pass_fds=[lock], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_lock_that_another_process_holds_by_then_stays(tmp_path):
    process = start(tmp_path, "", HANDED_OVER)
    assert process.stderr and process.stderr.read() == ""
    assert (tmp_path / "deep" / "bundle" / LOCK_FILE).exists()
    process.communicate(timeout=60)
