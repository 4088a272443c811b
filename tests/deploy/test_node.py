"""deploy/node: the answers of Python's onnxruntime from Node, to the bit; and hostile bundles fail in one line."""

import json

import pytest

from tests.deploy import bundles
from tests.deploy.bundles import REFERENCE, copy_of
from tests.deploy.javascript import (
    FILE_FAULTS,
    NODE,
    WEB,
    WEIGHT_FAULTS,
    answer_here,
    install,
    mutations,
    node,
    seal,
    verify,
)

MODULES = {name: bundles.MODULES[name] for name in ("mixed", "float16", "float64")}


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(NODE)


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Bundles of modules of every type of numbers."""
    from export.bundle.export import export

    folder = tmp_path_factory.mktemp("modules")
    for name, (make, inputs) in MODULES.items():
        export(make(), folder / name, inputs=inputs)
    return folder


@pytest.mark.parametrize("folder", [NODE, WEB], ids=lambda folder: folder.name)
def test_lock_files_hold_hashes_and_no_addresses(folder):
    text = (folder / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert len(packages) > 10
    assert all(entry["integrity"].startswith("sha512-") for name, entry in packages.items() if name)
    assert "resolved" not in text and "registry" not in text


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_committed_bundles_pass(name):
    code, lines, errors = verify(REFERENCE / name)
    assert (code, lines[1:], errors) == (0, ["5 passed, 0 failed"], "")
    assert lines[0].startswith("node: 5 cases, ")


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_answers_have_the_bytes_of_pythons_onnxruntime(name, tmp_path):
    """On this machine: the committed answers are those of another, where the last bit may differ."""
    bundle = answer_here(copy_of(REFERENCE / name, tmp_path))
    assert verify(bundle) == (0, ["node: 5 cases, bit-equal", "5 passed, 0 failed"], "")


def test_a_fresh_export_is_bit_equal(penguins):
    assert verify(penguins) == (0, ["node: 5 cases, bit-equal", "5 passed, 0 failed"], "")


@pytest.mark.parametrize("name", MODULES)
def test_modules_of_other_types_are_bit_equal(modules, name):
    cases = len(list((modules / name).glob("test_data_set_*")))
    wanted = [f"node: {cases} cases, bit-equal", f"{cases} passed, 0 failed"]
    assert verify(modules / name) == (0, wanted, "")


@pytest.mark.parametrize("fault", [*WEIGHT_FAULTS, *(fault for fault in FILE_FAULTS if "missing" not in fault)])
def test_changed_files_are_found_by_their_sha256_before_any_vector_runs(tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    {**WEIGHT_FAULTS, **FILE_FAULTS}[fault](bundle)
    code, lines, errors = verify(bundle)
    assert (code, lines[0]) == (1, "node: 0 cases")
    assert lines[1] == f"0 passed, {len(errors.splitlines())} failed"
    assert ("no such file" if fault == "no vectors" else "has sha256") in errors


@pytest.mark.parametrize("fault", ["swapped features", "dropped bias"])
def test_wrong_weights_are_found_by_the_vectors(tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    WEIGHT_FAULTS[fault](bundle)
    code, lines, errors = verify(seal(bundle))
    assert code == 1 and "bit-equal" not in lines[0]
    failing = next(line for line in errors.splitlines() if line.startswith("node: test_data_set_2: output 0, row "))
    assert all(f"{word} " in failing for word in ("got", "expected", "allowed")), failing
    assert lines[1] != "0 passed, 5 failed", "batch 0 must pass"


def test_one_bit_of_a_weight_shows_in_the_bytes(tmp_path):
    bundle = answer_here(copy_of(REFERENCE / "penguins", tmp_path))
    WEIGHT_FAULTS["one bit of a weight"](bundle)
    _, lines, _ = verify(seal(bundle))
    assert lines[0].startswith("node: 5 cases, worst error 0.")


@pytest.mark.parametrize("fault", FILE_FAULTS)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "as listed"])
def test_damaged_bundles_fail(tmp_path, fault, sealed):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    FILE_FAULTS[fault](bundle)
    code, lines, errors = verify(seal(bundle) if sealed else bundle)
    assert code == 1
    assert "bit-equal" not in lines[0] and not lines[1].endswith(" 0 failed")
    assert errors.startswith("node: ")


@pytest.mark.parametrize(
    "line",
    [f"{'0' * 64}  ../secret", f"{'0' * 64}  /etc/passwd", "0  model.onnx", f"{'0' * 64}  model.onnx\0", "\x1b[31m"],
)
def test_sums_that_name_other_files_are_refused(tmp_path, line):
    bundle = copy_of(REFERENCE / "line", tmp_path)
    with (bundle / "SHA256SUMS").open("a") as file:
        file.write(f"{line}\n")
    code, lines, errors = verify(bundle)
    assert (code, lines[1]) == (1, "0 passed, 1 failed")
    assert "SHA256SUMS: has the line" in errors and errors.isprintable() is False and "\x1b" not in errors


def test_a_folder_that_is_no_bundle_fails(tmp_path):
    code, lines, errors = verify(tmp_path)
    assert (code, lines[1]) == (1, "0 passed, 1 failed")
    assert errors.count("\n") == 1 and "SHA256SUMS: no such file" in errors


VERIFY_ALL = """
import { readdirSync } from 'node:fs';
import { LinregError, load, verify } from './linreg.mjs';
const reports = [];
for (const name of readdirSync(process.argv[1]).sort()) {
  const folder = `${process.argv[1]}/${name}`;
  const { passed, failed, problems, cases } = await verify(folder);
  const seen = (error) => [error instanceof LinregError, error.message];
  const loaded = await load(`${folder}/model.onnx`).then(() => null, seen);
  reports.push({ passed, failed, loaded, texts: [...problems, ...cases.map(({ failure }) => failure ?? '')] });
}
console.log(JSON.stringify(reports));
"""


@pytest.mark.parametrize("name", ["model.onnx", "test_data_set_1/output_0.pb", "test_data_set_4/allowed_0.pb"])
def test_mutated_protobufs_are_told_in_one_line(tmp_path, name):
    data = (REFERENCE / "penguins" / name).read_bytes()
    for place, content in enumerate(mutations(data, 120, seed=len(name))):
        bundle = copy_of(REFERENCE / "penguins", tmp_path / f"{place:03}")
        (bundle / name).write_bytes(content)
        seal(bundle).rename(tmp_path / f"b{place:03}")
        (tmp_path / f"{place:03}").rmdir()
    ended = node("--input-type=module", "-e", VERIFY_ALL, tmp_path)
    reports = json.loads(ended.stdout)
    assert len(reports) == 120 and sum(report["failed"] > 0 for report in reports) > 40
    for report in reports:
        assert report["passed"] + report["failed"] > 0
        assert not any("\n" in text or "RangeError" in text or "TypeError" in text for text in report["texts"]), report
        assert report["loaded"] is None or (report["loaded"][0] and "\n" not in report["loaded"][1]), report


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_line_of_json(batch):
    ended = node("cli.mjs", "bench", REFERENCE / "penguins", batch, 3)
    assert (ended.returncode, ended.stderr, ended.stdout.count(b"\n")) == (0, b"", 1)
    result = json.loads(ended.stdout)
    assert (result["runtime"], result["version"], result["batch"]) == ("node", "1.30.0", batch)
    assert result["calls"] > 0 and len(result["block_s"]) == 3 and min(result["block_s"]) > 0


def test_bench_refuses_a_batch_that_no_vector_has(tmp_path):
    ended = node("cli.mjs", "bench", REFERENCE / "penguins", 5)
    assert ended.returncode == 1 and b"expected one of 1, 7, 4096, 0, 16" in ended.stderr
    (bundle := copy_of(REFERENCE / "penguins", tmp_path)).joinpath("model.onnx").write_bytes(b"\x08")
    ended = node("cli.mjs", "bench", bundle, 1)
    assert ended.returncode == 1 and b"model.onnx: has sha256" in ended.stderr


@pytest.mark.parametrize("words", [[], ["verify"], ["bench", "x"], ["predict", "x", "y"], ["toString"]])
def test_wrong_usage_is_exit_2(words):
    ended = node("cli.mjs", *words)
    assert (ended.returncode, ended.stdout) == (2, b"") and ended.stderr.startswith(b"usage: ")
