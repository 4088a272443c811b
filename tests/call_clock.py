"""A clock that only calls move, so that every figure is known to the nanosecond."""

from collections import Counter
from contextlib import contextmanager

from bench.worker.rounds import host_timer
from export.runners.base import Call

TARGET = 100_000
MILLISECOND = 1_000_000


class Machine:
    """A clock, and calls that take a known time on it.

    Attributes:
        now: in nanoseconds.
        timer: of blocks, on that clock.
        readings: of the clock.
        log: the name of every call that ran.
        entered: the names whose context is open, and how often each was entered.
    """

    def __init__(self, *, cold: int = 0, preempted=lambda _reading: False, tick: int = 1) -> None:
        self.now = self.readings = self.warm = 0
        self.log: list[str] = []
        self.open: list[str] = []
        self.entries: Counter[str] = Counter()
        self.cold, self.preempted, self.tick = cold, preempted, tick
        self.timer = host_timer(self.clock)

    def clock(self) -> int:
        if self.preempted(self.readings):
            self.now += 50 * MILLISECOND
        self.readings += 1
        return self.now // self.tick * self.tick

    def call(self, name: str, cost) -> Call:
        """A call of `cost` nanoseconds, or of `cost()`; the first eight after another one take `cold` more."""

        def run() -> None:
            assert self.open == [name]
            self.warm = self.warm + 1 if self.log[-1:] == [name] else 1
            self.log.append(name)
            self.now += (cost() if callable(cost) else cost) + (self.cold if self.warm <= 8 else 0)

        @contextmanager
        def context():
            self.open.append(name)
            self.entries[name] += 1
            try:
                yield
            finally:
                self.open.remove(name)

        return Call(run=run, outputs=lambda: (), context=context)
