"""deploy/standalone-js: model.mjs in Node, with the answers of torch and without a package."""

import re
import shutil

import numpy as np
import pytest

from tests.deploy.bundles import FEATURES, REFERENCE, bench_line, copy_of
from tests.deploy.javascript import MODULE_FAULTS, STANDALONE, change_module, first_weight, node, seal, verify
from tests.deploy.penguin_predictions import first_prediction


@pytest.mark.parametrize("name", ["line", "penguins"])
def test_committed_bundles_are_bit_equal(name):
    assert verify(REFERENCE / name, STANDALONE) == (0, ["standalone-js: 5 cases, bit-equal", "5 passed, 0 failed"], "")


def test_a_network_is_within_the_allowed_error(javascript_network):
    code, lines, errors = verify(javascript_network, STANDALONE)
    assert (code, errors) == (0, "")
    assert re.fullmatch(r"standalone-js: \d cases, worst error 0\.\d+ of what is allowed", lines[0])


@pytest.mark.parametrize("fault", MODULE_FAULTS)
def test_javascript_that_is_wrong_or_fails_is_told(tmp_path, fault):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    plant, said = MODULE_FAULTS[fault]
    change_module(bundle, plant)
    code, lines, errors = verify(seal(bundle), STANDALONE)
    assert code == 1 and not lines[-1].endswith(" 0 failed")
    assert said in errors


def test_a_network_with_one_wrong_weight_is_told(javascript_network, tmp_path):
    bundle = copy_of(javascript_network, tmp_path)
    change_module(bundle, lambda text: text.replace(" -0.", " -9.", 1))
    code, _, errors = verify(seal(bundle), STANDALONE)
    assert code == 1 and re.match(r"standalone-js: test_data_set_\d: output 0, row \d+: got ", errors)


@pytest.mark.parametrize("command", ["verify", "bench", "predict"])
def test_code_of_another_hash_is_not_run(tmp_path, command):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    change_module(bundle, lambda text: f"process.stdout.write('it ran');\n{first_weight(text)}")
    words = {"verify": [bundle], "bench": [bundle, 1], "predict": [bundle / "model.mjs"]}[command]
    ended = node("cli.mjs", command, *words, folder=STANDALONE)
    assert ended.returncode == 1 and b"it ran" not in ended.stdout
    assert b"model.mjs: has sha256" in ended.stderr


def test_a_bundle_without_javascript_says_how_to_export_it(tmp_path):
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    (bundle / "model.mjs").unlink()
    code, _, errors = verify(seal(bundle), STANDALONE)
    assert (code, errors) == (1, "standalone-js: SHA256SUMS: does not list model.mjs; export with --format js\n")


def test_it_predicts_by_the_names_of_columns(tmp_path):
    shutil.copy(REFERENCE / "penguins" / "model.mjs", tmp_path)
    table = f"{','.join(reversed(FEATURES))}\n181,18.7,39.1\n".encode()
    ended = node("cli.mjs", "predict", tmp_path / "model.mjs", data=table, folder=STANDALONE)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert np.float32(ended.stdout.decode()) == np.float32(first_prediction().replace(",", ""))


@pytest.mark.parametrize("batch", [1, 4096])
def test_bench_prints_one_json_line(tmp_path, batch):
    program = tmp_path / "standalone-js"
    program.write_text(f'#!/bin/sh\nexec node "{STANDALONE}/cli.mjs" "$@"\n')
    program.chmod(0o755)
    assert bench_line(program, batch, 12, least_call_s=1e-9)["runtime"] == "standalone-js"


def test_usage_is_told():
    ended = node("cli.mjs", "verify", folder=STANDALONE)
    assert ended.returncode == 2
    assert b"usage: node cli.mjs predict MODEL < rows.csv > predictions.csv" in ended.stderr
