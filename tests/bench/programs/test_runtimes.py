"""Programs beside Python: each is proved before it is timed, and the ratio is that of processes side by side."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.statistics import over_processes
from bench.programs.finding import BUILT, Runtime, copy_checked, find_runtimes
from bench.programs.runtimes import BLOCKS, PYTHON, time_runtimes
from linreg.errors import LinregError, MismatchError
from tests.conftest import ROOT, contents, forge

DEPLOY = ROOT / "deploy"

PROGRAM = """\
import json, sys
command, bundle, *rest = sys.argv[1:]
if command == "verify":
    print({proof!r})
    print("5 passed, 0 failed")
    sys.exit({code})
block = {seconds} * (1 + 0.01 * (int(rest[0]) == 4096))
print(json.dumps(dict(runtime="fake", version="9.9", batch=int(rest[0]), calls=10, block_s=[block] * {blocks})))
"""


def program(tmp_path, name="fake", *, proof="fake: 5 cases, bit-equal", code=0, seconds=1e-4, blocks=BLOCKS) -> Runtime:
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAM.format(proof=proof, code=code, seconds=seconds, blocks=blocks))
    return Runtime(name=name, command=(sys.executable, str(path)))


def test_rows_are_medians_of_processes_and_ratios_to_python(penguins, tmp_path):
    steps = []
    rows = time_runtimes([program(tmp_path)], penguins, processes=3, progress=steps.append)
    assert [(row.name, row.batch) for row in rows] == [(PYTHON, 1), ("fake", 1), (PYTHON, 4096), ("fake", 4096)]
    assert steps == list(range(1, 13))
    for python, fake in ((rows[0], rows[1]), (rows[2], rows[3])):
        assert python.ratio is None
        assert python.proof == "python: 5 cases, bit-equal"
        assert (fake.version, fake.proof) == ("9.9", "fake: 5 cases, bit-equal")
        assert fake.median_s == pytest.approx(1e-5 * (1.01 if fake.batch == 4096 else 1), rel=1e-9)
        assert len(python.processes) == len(fake.processes) == 3
        assert all(len(process.block_ns) == BLOCKS for process in (*python.processes, *fake.processes))
        call_s = [np.median(process.block_ns) * 1e-9 / process.calls_per_block for process in python.processes]
        logs = [np.log(fake.median_s / seconds) for seconds in call_s]
        assert np.log(fake.ratio.estimate) == pytest.approx(np.mean(logs), abs=1e-9)
        assert fake.ratio.low < fake.ratio.estimate < fake.ratio.high
    assert over_processes([rows[1].ratio]) == rows[1].ratio
    assert rows[1].rows_per_s == pytest.approx(1e5)


def test_only_the_given_batch_sizes_are_timed(penguins, tmp_path):
    rows = time_runtimes([program(tmp_path)], penguins, processes=1, batches=(1,))
    assert [(row.name, row.batch) for row in rows] == [(PYTHON, 1), ("fake", 1)]


def test_a_program_that_fails_its_vectors_is_not_timed(penguins, tmp_path):
    wrong = program(tmp_path, proof="fake: test_data_set_1: row 3 is 4, expected 5", code=1)
    with pytest.raises(MismatchError, match=r"^fake: fails the test vectors of .*: fake: test_data_set_1: row 3 is 4"):
        time_runtimes([wrong], penguins, processes=1)


def test_what_a_program_says_on_stderr_is_told_rather_than_its_summary(penguins, tmp_path):
    wrong = program(tmp_path, proof="fake: 0 cases", code=1)
    script = Path(wrong.command[1])
    script.write_text("import sys; print('fake: model.onnx has sha256 ab', file=sys.stderr)\n" + script.read_text())
    with pytest.raises(MismatchError, match=r"fails the test vectors of .*: fake: model.onnx has sha256 ab$"):
        time_runtimes([wrong], penguins, processes=1)


def test_a_program_with_other_figures_is_an_error(penguins, tmp_path):
    with pytest.raises(
        LinregError, match="fake: bench at batch 1 failed: it reports another batch size or number of blocks"
    ):
        time_runtimes([program(tmp_path, blocks=3)], penguins, processes=1)
    with pytest.raises(LinregError, match="no-such-program"):
        time_runtimes([Runtime(name="none", command=("no-such-program",))], penguins, processes=1)


def test_what_is_not_built_is_named_with_the_command_that_builds_it(penguins, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    found, missing = find_runtimes(tmp_path / "deploy", penguins, tmp_path)
    assert found == []
    assert set(missing) == {*BUILT, "node", "wasm", "standalone-c", "standalone-js"}
    assert "make deploy-build" in missing["c"]
    assert "apt-get install nodejs" in missing["node"]
    assert "--format c" in missing["standalone-c"]
    monkeypatch.undo()
    _, missing = find_runtimes(tmp_path / "deploy", penguins, tmp_path)
    assert missing["standalone-js"] == "model.mjs is not in the bundle; run: linreg export --format js"


def test_programs_that_are_built_are_found(penguins, tmp_path):
    deploy = tmp_path / "deploy"
    for name in BUILT:
        path = deploy / "build" / name / f"linreg-{name}"
        path.parent.mkdir(parents=True)
        path.write_text("")
        path.chmod(stat.S_IRWXU)
    found, missing = find_runtimes(deploy, penguins, tmp_path)
    assert [runtime.name for runtime in found] == list(BUILT)
    assert "npm ci" in missing["node"]


def python_runtime(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.programs.process", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_python_speaks_as_the_programs_do(penguins):
    before = contents(penguins)
    done = python_runtime("verify", penguins)
    assert (done.returncode, done.stdout) == (0, "python: 5 cases, bit-equal\n5 passed, 0 failed\n")
    sample = json.loads(python_runtime("bench", penguins, 4096).stdout)
    assert (sample["runtime"], sample["batch"], len(sample["block_s"])) == (PYTHON, 4096, BLOCKS)
    assert contents(penguins) == before


def test_python_fails_as_the_programs_do(bundle):
    assert python_runtime("bench", bundle, 5).stderr.startswith("error: ")
    (bundle / "test_data_set_1" / "output_0.pb").write_bytes(b"damaged")
    for code in (3, 1):  # other bytes than the manifest lists; without a manifest no tensor
        done = python_runtime("verify", bundle)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == 1
        (bundle / "manifest.json").unlink(missing_ok=True)


def test_a_program_of_somebody_else_is_not_run_without_trust(bundle, tmp_path, monkeypatch):
    """model.c is compiled, and model.torchscript and model.mjs loaded, only if this user made them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    forge(bundle, model_c=b"void linreg_predict(void) {}\n", model_mjs=b"export const predict = 0;\n")
    found, missing = find_runtimes(DEPLOY, bundle, tmp_path)
    for name in ("libtorch", "standalone-c", "standalone-js"):
        assert name not in [runtime.name for runtime in found]
        assert "is a program that this user did not export; if you trust it, add --trust" in missing[name]
    assert not (tmp_path / "linreg-standalone-c").exists()
    assert "does not compile" in find_runtimes(DEPLOY, bundle, tmp_path, trust=True)[1]["standalone-c"]
    (bundle / "model.c").write_bytes(b"changed")
    with pytest.raises(MismatchError, match="the manifest says"):
        find_runtimes(DEPLOY, bundle, tmp_path)


def test_only_checked_bytes_are_compiled(tmp_path):
    """A header beside a model.c that is trusted is never included: what is compiled lies in a folder of its own."""
    bundle = Path(shutil.copytree(DEPLOY.parent / "artifacts" / "reference" / "line", tmp_path / "line"))
    hostile = "#error compiled\n"
    for name in ("model.h", "stdio.h", "stddef.h", "math.h", "vectors.h"):
        (bundle / name).write_text(hostile)
    found, missing = find_runtimes(DEPLOY, bundle, tmp_path / "work", trust=True)
    assert "standalone-c" in [runtime.name for runtime in found], missing
    with pytest.raises(MismatchError, match=r"model\.h: has sha256"):
        copy_checked(bundle, tmp_path / "work")


def test_c_source_of_any_prefix_is_compiled(tmp_path):
    bundle = Path(shutil.copytree(DEPLOY.parent / "artifacts" / "reference" / "penguins", tmp_path / "penguins"))
    manifest = (bundle / "manifest.json").rename(tmp_path / "manifest.json")
    for name in ("model.c", "model.h"):
        text = (bundle / name).read_text().replace("linreg_predict", "abc_predict").replace("LINREG_", "ABC_")
        (bundle / name).write_text(text)
    work = tmp_path / "work"
    found, missing = find_runtimes(DEPLOY, bundle, work, trust=True)
    assert "standalone-c" not in missing, missing
    manifest.rename(bundle / "manifest.json")
    (standalone,) = [runtime for runtime in found if runtime.name == "standalone-c"]
    done = subprocess.run([*standalone.command, "verify", bundle], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("standalone-c: 5 cases, bit-equal")


def test_programs_run_on_a_copy_of_the_bytes_that_were_checked(bundle, tmp_path):
    copy = copy_checked(bundle, tmp_path / "work")
    assert contents(copy) == contents(bundle)
    (bundle / "test_data_set_0" / "input_0.pb").unlink()
    (bundle / "test_data_set_0" / "input_0.pb").symlink_to("/dev/null")
    with pytest.raises(MismatchError, match="is a symbolic link"):
        copy_checked(bundle, tmp_path / "again")
    (bundle / "manifest.json").unlink()
    with pytest.raises(LinregError, match="to check its files with"):
        copy_checked(bundle, tmp_path / "again")


@pytest.mark.parametrize("name", ["sp ace", "x$(touch injected)", "a'b"])
def test_the_name_of_a_bundle_is_only_a_name(tmp_path, name):
    bundle = Path(shutil.copytree(DEPLOY.parent / "artifacts" / "reference" / "line", tmp_path / name))
    found, missing = find_runtimes(DEPLOY, copy_checked(bundle, tmp_path / "work"), tmp_path / "work", trust=True)
    assert "standalone-c" in [runtime.name for runtime in found], missing
    assert not list(tmp_path.rglob("injected"))
