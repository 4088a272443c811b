"""deploy/standalone-c with feed-forward networks: all vectors pass, and a planted fault fails."""

import re

import pytest

from export.bundle.export import export
from tests.deploy.standalone import SANITIZED, run, whole_program
from tests.feed_forward_networks import NETWORKS, network


@pytest.fixture(scope="module", params=NETWORKS)
def bundle(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / request.param
    export(network(request.param), folder, inputs=NETWORKS[request.param][1], formats=["onnx", "c"], budget="1s")
    return folder


def test_all_vectors_pass_under_sanitizers(bundle, tmp_path):
    for compiler, standard in (("gcc", "-std=c11"), ("clang", "-std=c11")):
        program = whole_program(tmp_path, bundle, compiler, standard, *SANITIZED)
        ended = run(program, "verify", bundle)
        assert (ended.returncode, ended.stderr) == (0, "")
        passed = re.search(r"(\d+) passed, 0 failed", ended.stdout)
        assert passed is not None
        assert int(passed[1]) >= 2


FAULTS = {
    "another exponent": (r"(constant_0\[\d+\] = \{\n    -?0x1\.\w+p)([-+]\d)", r"\g<1>+1"),
    "swapped values": (r"\[(feature|inside \* 3 \+ tap)\], sum\)", "[0], sum)"),
    "dropped bias": (r"sum \+ (\w+\[\w+\]);", r"sum + 0 * \1;"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_fails(bundle, fault, tmp_path):
    pattern, wrong = FAULTS[fault]
    text, count = re.subn(pattern, wrong, (bundle / "model.c").read_text())
    assert count
    for name in ("model.h", "manifest.json"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    (tmp_path / "model.c").write_text(text)
    ended = run(whole_program(tmp_path, tmp_path, "gcc", "-std=c11"), "verify", bundle)
    assert ended.returncode == 1
    assert re.search(r"[1-9]\d* failed", ended.stdout)


def test_rows_of_a_table_are_predicted(bundle, tmp_path):
    program = whole_program(tmp_path, bundle, "gcc", "-std=c11")
    text = re.search(r"_FEATURES (\d+)", (bundle / "model.h").read_text())
    assert text is not None
    row = ",".join(str(place / 8) for place in range(int(text[1])))
    ended = run(program, "predict", input=f"{row}\n{row}\n")
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second = ended.stdout.splitlines()
    assert first == second
    assert all(float(number) == float(number) for number in first.split(","))
