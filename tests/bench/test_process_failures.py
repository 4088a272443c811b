"""A process of a benchmark that fails, hangs, prints or is shadowed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bench.processes
from bench.plan.subject import Subject
from bench.plan.variants import (
    REFERENCE,
    cpu_variants,
)
from bench.processes import run_in_process
from linreg.ending import ending_by_signal
from linreg.errors import LinregError, MismatchError, TerminatedError
from tests.bench.test_processes import NETS


def with_a_wrong_weight(data: bytes) -> bytes:
    model = onnx.load_model_from_string(data)
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.001), tensor.name))
    return model.SerializeToString()


def test_a_wrong_reference_in_a_process_is_a_mismatch_here(job, bundle):
    (bundle / "model.onnx").write_bytes(with_a_wrong_weight((bundle / "model.onnx").read_bytes()))
    (bundle / "manifest.json").unlink()
    own = job(cpu_variants(), bundle=bundle, reference="onnxruntime-run")
    with pytest.raises(MismatchError, match=r"^model\.onnx: parameter .*; nothing can be compared with it$"):
        run_in_process(own)


def test_an_expected_failure_in_a_process_is_its_one_line_here(job):
    own = job()
    own = replace(own, subjects={"model": Subject(path=str(own.folder / "missing.pth"))})
    with pytest.raises(LinregError) as caught:
        run_in_process(own)
    assert type(caught.value) is LinregError
    assert str(caught.value).startswith(f"{own.folder}/missing.pth: ")
    assert "\n" not in str(caught.value)


def worker(monkeypatch, tmp_path, code: str) -> None:
    """Let other code run in the place of the worker."""
    (tmp_path / "program").mkdir(exist_ok=True)
    path = tmp_path / "program" / "python"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ValueError('it\\nbroke')", "a process of the benchmark failed: broke"),
        (
            "import os, sys; print('careful', file=sys.stderr, flush=True); os.kill(os.getpid(), 9)",
            "a process of the benchmark was ended by SIGKILL; is there enough memory?",
        ),
        ("import sys; sys.exit(5)", "a process of the benchmark failed: it exited with code 5 and printed nothing"),
        ("import sys; sys.exit('error: ' + 900 * 'x')", 500 * "x"),
    ],
    ids=["traceback", "killed", "silent", "long"],
)
def test_a_process_that_breaks_is_one_line(job, monkeypatch, tmp_path, code, message):
    own = job()
    worker(monkeypatch, tmp_path, code)
    with pytest.raises(LinregError) as caught:
        run_in_process(own)
    assert str(caught.value) == message
    assert type(caught.value) is LinregError


def test_a_process_that_takes_too_long_is_ended_and_told(job, monkeypatch, tmp_path):
    own = job()
    worker(
        monkeypatch,
        tmp_path,
        f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )
    monkeypatch.setattr(bench.processes, "TIMEOUT_S", 0.5)
    with pytest.raises(LinregError, match="a process took more than 1 s; use fewer --rounds"):
        run_in_process(replace(own, expected_s=0.1))
    pid = (tmp_path / "pid").read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), signal.SIGCONT)


def test_a_process_gets_no_stdin_and_leaves_nothing_behind(job, monkeypatch, tmp_path):
    own = job()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    report = tmp_path / "seen"
    worker(monkeypatch, tmp_path, f"import sys; open({str(report)!r}, 'w').write(sys.stdin.read() + '|' + sys.argv[3])")
    with pytest.raises(LinregError):  # it has written no result
        run_in_process(own)
    assert report.read_text() == "|bench.worker.process"
    assert list((tmp_path / "temporary").iterdir()) == []


LOUD = f"""
import os, sys

print("hello from a module")
os.write(1, b"{{}}")
print("careful", file=sys.stderr)
sys.path.insert(0, {str(NETS.parent)!r})

from nets import Mlp  # its parameters are random
"""


def test_a_module_that_prints_does_no_harm(job, tmp_path, capfd):
    path = tmp_path / "loud_module.py"
    path.write_text(LOUD)
    own = job(subject=Subject(module=f"{path}:Mlp", inputs=("x=float32[batch,16]",)), bundle=None)
    capfd.readouterr()
    result = run_in_process(replace(own, fresh=REFERENCE))
    assert capfd.readouterr() == ("", "")
    assert [row.problem for row in result.rows[1, 7].values()] == ["", "", ""]
    assert result.lifecycle.name == REFERENCE


def test_a_file_beside_the_folder_where_one_is_shadows_no_library(job, tmp_path, monkeypatch):
    """-P: the current folder is not where Python looks for modules."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "numpy.py").write_text("raise SystemExit('shadowed')")
    own = job()
    monkeypatch.chdir(tmp_path / "here")
    assert run_in_process(own).rows[1, 7][REFERENCE].problem == ""


def test_a_signal_as_a_process_starts_leaves_no_process(job, monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(TerminatedError), ending_by_signal(watched=False) as ending, ending.interrupting():
        run_in_process(job())
    assert [process.returncode for process in started] == [-signal.SIGKILL]
