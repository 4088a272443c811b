"""fmaf of deploy/standalone-c/fmaf.c, and of each processor, against exact rationals."""

import struct
from fractions import Fraction
from pathlib import Path
from random import Random

from tests.deploy.test_standalone_bits import rounded
from tests.processors.conftest import targets
from tests.processors.programs import output

TWICE = ((2**23 + 1) * 2.0**-35, (2**23 - 1) * 2.0**-35, 1 + 2.0**-23)
"""The exact sum is just below a tie of floats; double precision takes it for the tie."""


def bits(value: float) -> str:
    return struct.pack(">f", value).hex()


def triples() -> list[tuple[float, float, float]]:
    """The one above and its like: random products near half of the last bit of a sum."""
    random = Random(5)
    found = [TWICE]
    for _ in range(60):
        exponent = random.randint(-20, 20)
        near = (2**23 + random.randint(-3, 3)) * (2**23 + random.randint(-3, 3))
        scale = 2.0 ** (-70 + random.choice([0, 0, 1]))
        x = (2**23 + random.randint(-3, 3)) * 2.0**-35 * random.choice([-1, 1])
        y = near // (2**23) * scale * 2.0**35 * 2.0**exponent
        z = (1 + random.randint(0, 8) * 2.0**-23) * 2.0**exponent
        found.append((x, y, z))
    return found


def expected(x: float, y: float, z: float) -> str:
    return bits(float(rounded(Fraction(x) * Fraction(y) + Fraction(z))))


def fmaf_of(target, folder: Path, *triples, library) -> list[str]:
    (folder / "triples").write_text("\n".join(" ".join(map(bits, triple)) for triple in triples))
    return output(target, folder, "fmaf_values", "triples", library=library)


def test_every_processor_rounds_once(target, tmp_path):
    got = fmaf_of(target, tmp_path, *triples(), library=target.library)
    assert got == [expected(*triple) for triple in triples()]


def test_newlib_alone_rounds_twice(tmp_path):
    """Else fmaf.c is no longer needed."""
    soft = next(target for target in targets.TARGETS if target.library)
    (got,) = fmaf_of(soft, tmp_path, TWICE, library=())
    assert (got, expected(*TWICE)) == (bits(1 + 2.0**-22), bits(1 + 2.0**-23))
