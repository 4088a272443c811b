"""model.c of networks on each processor: the vectors, and the bits of x86-64 but where newlib's expf differs.

glibc's erff and log1pf differ too by processor, but not for the few rows whose bits are compared here.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.feed_forward_networks import NETWORKS
from tests.processors.conftest import answers, check, sources, targets

BITS = Path(__file__).parent / "bits.c"
HOST = targets.Target(name="x86-64", compiler="x86_64-linux-gnu", emulator="env", packages=("gcc",), stack_pointer="")
S390X = next(target for target in targets.TARGETS if target.name.startswith("s390x"))
OWN_EXPF = "#include <math.h>\nfloat expf(float x) { return (float)exp(x); }\n"


def bits(target, bundle: Path, folder: Path) -> list[str]:
    """The bits of the answers to the first vectors, of batches 1 and 7: how many more there are depends on the time."""
    (source,) = sources(bundle)
    program = check.Build(target, source, folder).program(BITS)
    return check.run(target.command(program, "0", "1"), bundle).splitlines()


@pytest.fixture(scope="session")
def host_bits(networks, tmp_path_factory) -> dict[str, list[str]]:
    """The bits of each network's answers on this machine."""
    return {name: bits(HOST, networks / name, tmp_path_factory.mktemp("host")) for name in NETWORKS}


def differing(got: list[str], expected: list[str]) -> int:
    """How many answers have other bits."""
    assert len(got) == len(expected) >= 8
    return sum(one != other for one, other in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_pass(target, networks, name):
    vectors, near = answers(target, networks / name)
    assert int(vectors.removesuffix(" passed")) >= 2
    assert near == "bit-equal" or float(near.removesuffix(" of allowed")) < 0.5


@pytest.mark.parametrize("name", NETWORKS)
def test_bits_are_those_of_x86_but_where_newlib_has_another_expf(target, networks, host_bits, name, tmp_path):
    got = bits(target, networks / name, tmp_path)
    assert differing(got, host_bits[name]) == (2 if target.board and name == "mlp" else 0)


def test_newlib_with_a_rounded_expf_has_the_same_bits(networks, host_bits, tmp_path):
    """Else something other than expf differs."""
    own = tmp_path / "own_expf.c"
    own.write_text(OWN_EXPF)
    soft = next(target for target in targets.TARGETS if target.board)
    got = bits(replace(soft, library=(*soft.library, own)), networks / "mlp", tmp_path)
    assert differing(got, host_bits["mlp"]) == 0


def test_s390x_computes_in_double_unless_it_is_told_not_to(networks, host_bits, tmp_path):
    """Else the flag in targets.py is no longer needed."""
    got = bits(replace(S390X, flags=()), networks / "reshaped", tmp_path)
    assert differing(got, host_bits["reshaped"]) == 2
