"""The wasm of deploy/web in Node: it verifies, and prints its times."""

import json

import pytest

from tests.deploy.bundles import REFERENCE, copy_of
from tests.deploy.javascript import WEB, WEIGHT_FAULTS, install, node, seal, verify


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(WEB)


def test_wasm_answers_in_node_as_well(tmp_path):
    for name in ("line", "penguins"):
        code, lines, errors = verify(REFERENCE / name, WEB)
        assert (code, lines[1], errors) == (0, "5 passed, 0 failed", "")
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    WEIGHT_FAULTS["dropped bias"](bundle)
    assert verify(seal(bundle), WEB)[0] == 1


def test_bench_prints_one_line_of_json():
    ended = node("bench.mjs", REFERENCE / "penguins", 4096, 3, folder=WEB)
    assert (ended.returncode, ended.stderr, ended.stdout.count(b"\n")) == (0, b"", 1)
    result = json.loads(ended.stdout)
    assert (result["runtime"], result["version"], result["batch"]) == ("wasm", "1.30.0", 4096)
    assert result["calls"] > 0 and len(result["block_s"]) == 3
