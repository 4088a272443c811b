"""The constants of the timing protocol, in one place.

bench/worker/rounds.py explains the blocks and bench/analysis/statistics.py the mean. deploy/vectors/bench.h and
deploy/js/timing.mjs, which cannot import them, repeat those that they use, and a test compares the three files.
"""

BLOCK_S = 0.0001
"""Seconds of a block: calls between two readings of the clock."""

WARM_IN_CALLS = 8
"""Untimed calls before each block."""

CALIBRATION_TRIALS = 5
"""Blocks of which the fastest says how many calls a block needs."""

MAX_CALLS = 100_000
"""Most calls in a block."""

FIRST_LOOK = 99
"""Rounds that a process times before it may stop; the interval of their median covers with 95.6 % (of 100: 96.5 %)."""

TRIMMED = 0.1
"""The fraction of processes that the mean leaves out at each end."""

BINDINGS = 5
"""Copies of the inputs that each row is bound to: one address in ten slows down ONNX Runtime by 60 % at batch 4096."""
