"""Call torch's exporters without their noise; what they have to say comes out as one line."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


def reason(error: BaseException) -> str:
    """What torch says first in its long messages, in one line."""
    text = " ".join(str(error).split())
    for marker in (" Caused by:", " For more information", " The following call raised", " To fix the error"):
        text = text.split(marker)[0]
    return f"{type(error).__name__}: {text[:300]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's exporters from talking: what they have to say is in the error or in the verification."""
    was_disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was_disabled)
