"""Run a function over units in threads of this process. NumPy releases the lock of the interpreter, so they help."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(function: Callable[..., Result], units: Iterable[Any], *arguments: Any, workers: int) -> Iterator[Result]:
    """Yield `function(unit, *arguments)` for each unit, in the order of the units.

    At most two units for each worker are taken ahead, in the caller's thread.

    Args:
        function: a function of a module, so that engines of several processes can find it.
        units: what each call works on.
        arguments: the same for every call.
        workers: number of threads; 1 uses the caller's.
    """
    if workers == 1:
        for unit in units:
            yield function(unit, *arguments)
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for unit in units:
            waiting.append(pool.submit(function, unit, *arguments))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
