"""Damaged files, the same in every run."""

import random


def mutations(data: bytes, count: int, seed: int) -> list[bytes]:
    """Bytes changed, taken out and put in, more of them at the start, where the lengths are."""
    choose = random.Random(seed)
    made = []
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(choose.randint(1, 3)):
            place = int(len(changed) * choose.random() ** 2)
            byte = choose.choice([0, 1, 0x7F, 0x80, 0xFF, choose.randrange(256)])
            changed[place : place + choose.choice([0, 1, 1, 2])] = bytes([byte] * choose.choice([0, 1, 1, 9]))
        made.append(bytes(changed))
    return made
