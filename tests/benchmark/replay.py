"""A timer that gives pytest-benchmark blocks that bench.worker.rounds measured before, paired and shuffled."""

from collections.abc import Iterator


class Replay:
    """Called before and after each round of `benchmark.pedantic`; every second reading lies one block later.

    Attributes:
        seconds: the blocks, in the order in which they are to appear.
    """

    __name__ = "replay of paired blocks"  # else the JSON would hold a memory address

    def __init__(self) -> None:
        self.seconds: Iterator[float] = iter(())
        self._now = 0.0
        self._started = False

    def load(self, seconds: list[float]) -> None:
        """Replay these blocks next."""
        self.seconds, self._started = iter(seconds), False

    def __call__(self) -> float:
        """The time, in seconds."""
        if self._started:
            self._now += next(self.seconds, 0.0)
        self._started = not self._started
        return self._now
