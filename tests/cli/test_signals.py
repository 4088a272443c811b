"""Every command ends by SIGTERM, SIGHUP and Ctrl-C, wherever it is: with one line at most, and nothing left."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linreg.ending import ending_by_signal, signals_held

# A `linreg verify` whose work is this code: in a temporary folder, and before a file gets its name.
DRIVER = """
import sys
code = sys.argv[1]
sys.argv[1:] = ["verify", "."]
import export.bundle.verify as verify
from linreg.cli.main import main

def work(*_):
    from pathlib import Path
    from linreg.files import staged
    from linreg.folders import work_folder
    with work_folder("linreg-test-"), staged(Path("out.bin"), b"new"):
        exec(code, {})

verify.checked_manifest = work
main()
"""

READY = "import sys; print('ready', file=sys.stderr, flush=True);"
NETWORK = "torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(1500)]).eval()"
LOCKED = f"import torch, warnings; warnings.simplefilter('ignore'); m = torch.jit.script({NETWORK});"
NATIVE = {
    "a call that frees the lock": "import torch; torch.set_num_threads(1); x = torch.rand(6000, 6000);"
    f"{READY} torch.linalg.svd(x)",
    "calls that hold the lock": f"{LOCKED}{READY}\nwhile True: torch.jit.freeze(m)",
    "Python that swallows": f"{READY}\nwhile True:\n try:\n  while True: pass\n except BaseException: pass",
}


def code_in_a_shell(process: subprocess.Popen) -> int:
    """128 + n for a process that died of signal n, as one that exits so."""
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def start(command: list[str], folder: Path) -> subprocess.Popen:
    (folder / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def left(folder: Path) -> list[str]:
    """What a command has left: temporary folders of ours, and files that were about to be written."""
    return [str(path) for path in (*folder.glob("temporary/linreg-*"), *folder.rglob("*.linreg-tmp"))]


def check_streams(out: str, err: str, code: int) -> None:
    assert out == ""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) <= 1
    for line in errors:
        assert ("interrupted" if code == 130 else "ended by SIG") in line or "inside native code" in line


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a call that frees the lock", signal.SIGINT),
        ("calls that hold the lock", signal.SIGTERM),
        ("Python that swallows", signal.SIGTERM),
        ("Python that swallows", signal.SIGHUP),
    ],
)
def test_native_code_is_no_refuge(tmp_path, name, number):
    process = start([sys.executable, "-c", DRIVER, NATIVE[name]], tmp_path)
    assert process.stderr
    assert process.stderr.readline() == "ready\n"
    assert len(left(tmp_path)) == 2
    time.sleep(0.2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert code_in_a_shell(process) == 128 + number
    check_streams(out, err, 128 + number)
    assert err.count("\n") == 1, "it says so"
    assert left(tmp_path) == []
    assert not (tmp_path / "out.bin").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_as_a_folder_is_created_leaves_nothing(tmp_path, number):
    code = (
        "import os, tempfile\nfrom linreg.folders import work_folder\nmake = tempfile.mkdtemp\n"
        f"def end(*words, **named):\n made = make(*words, **named)\n os.kill(os.getpid(), {int(number)})\n"
        " return made\ntempfile.mkdtemp = end\nwith work_folder('linreg-test-'): pass"
    )
    process = start([sys.executable, "-c", DRIVER, code], tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    check_streams(out, err, 128 + number)
    assert left(tmp_path) == []


def test_a_killed_command_leaves_nothing(tmp_path):
    process = start([sys.executable, "-c", DRIVER, f"{READY} import time; time.sleep(600)"], tmp_path)
    assert process.stderr
    assert process.stderr.readline() == "ready\n"
    process.kill()
    process.communicate(timeout=60)  # until the process that watched has ended as well
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "how", ["raise ImportError('wrapped')", "raise SystemExit(0)", "pass", "raise KeyboardInterrupt", "exec('1/0')"]
)
def test_the_signal_counts_whatever_became_of_its_exception(tmp_path, how):
    code = f"import os, signal\ntry: os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException: {how}"
    process = start([sys.executable, "-c", DRIVER, code], tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (out, err) == ("", "error: ended by SIGTERM; every file is whole, the old one or the new one\n")
    assert left(tmp_path) == []


def test_what_a_destructor_swallows_is_no_traceback(tmp_path):
    code = (
        "import os, signal\nclass Swallows:\n def __del__(self):\n  os.kill(os.getpid(), signal.SIGTERM)\n"
        "  for _ in range(100): pass\nSwallows()"
    )
    process = start([sys.executable, "-c", DRIVER, code], tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize("place", ["os.fork", "ctypes.CDLL", "linreg.ending.stop_watching"])
def test_a_signal_before_or_after_the_command_is_no_traceback(tmp_path, place):
    """While the process that watches is started, and while it is ended."""
    module, name = place.rsplit(".", 1)
    code = (
        f"import {module}, os, signal, sys\nfrom linreg.cli.main import main\noriginal = {place}\n"
        f"def {name}(*words):\n os.kill(os.getpid(), signal.SIGTERM)\n return original(*words)\n"
        f"{place} = {name}\nsys.argv = ['linreg', 'verify', '.']\nmain()"
    )
    process = start([sys.executable, "-c", code], tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (out, err) == ("", "error: ended by SIGTERM; every file is whole, the old one or the new one\n")


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxruntime"])
def test_no_exception_passes_through_a_package_while_it_is_imported(tmp_path, package):
    """In C++ code that an import calls, it would abort the process now and then."""
    (tmp_path / package).mkdir()
    kill = "import os, signal\ntry: os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException: print('raised')\n"
    (tmp_path / package / "__init__.py").write_text(kill)
    code = f"import sys; sys.path.insert(0, '.'); sys.modules.pop('{package}', None); import {package}"
    process = start([sys.executable, "-c", DRIVER, code], tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (out, err) == ("", "error: ended by SIGTERM; every file is whole, the old one or the new one\n")


WORDS = {
    "train": ["train", "--epochs", "100000000", "-o", "bundle"],
    "export": ["export", "--format", "torchscript"],
}


@pytest.mark.parametrize("moment", range(12))
def test_any_moment_will_do(tmp_path, moment):
    """Also while Python starts, while torch is imported, and at the end."""
    chance = random.Random(moment)
    number = chance.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    process = start([sys.executable, "-m", "linreg", *WORDS[["train", "export"][moment % 2]]], tmp_path)
    time.sleep(moment * 0.15 + chance.uniform(0.1, 0.25))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    code = code_in_a_shell(process)
    if number == signal.SIGINT and code == 130 and "Traceback" in err and "linreg" not in err:
        return  # Python itself was not yet there
    assert code == 128 + number or (code == 0 and moment % 2), err
    check_streams("", err, code)
    assert out == "" or out.endswith("\n"), "the signal may come once the result is printed"
    assert left(tmp_path) == []
    assert not [path for path in tmp_path.rglob("manifest.json") if code], "the manifest is the last file"


def test_handlers_are_as_before_and_ignored_signals_stay_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        with pytest.raises(KeyboardInterrupt), ending_by_signal(watched=False) as ending, ending.interrupting():
            os.kill(os.getpid(), signal.SIGHUP)
            assert ending.number is None
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000):
                    pass
            finally:
                os.kill(os.getpid(), signal.SIGTERM)  # cleaning up is not interrupted
                assert ending.number == signal.SIGINT
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_signal_waits_for_the_outer_of_two_blocks():
    reached = []
    with pytest.raises(KeyboardInterrupt), ending_by_signal(watched=False) as ending, ending.interrupting():
        with signals_held():
            with signals_held():
                os.kill(os.getpid(), signal.SIGINT)
                reached.append("inner")
            reached.append("outer")
        reached.append("beyond")
    assert reached == ["inner", "outer"]
