"""Call torch's exporters without their noise; what they have to say comes out as one line."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)'")
SUMMARY = re.compile(r"## Exception summary\s+<class '[\w.]*?(\w+)'>: (.*?)\s*(?:⬆|\(Refer to|$)", re.DOTALL)
"""Where torch.onnx says what went wrong, below its advice to its own developers: the innermost error is the first."""

ENDS = (" Caused by:", " For more information", " The following call raised", " To fix the error")
MARKER = re.compile(r"\s*~+ <--- HERE")


def reason(error: BaseException) -> str:
    """What went wrong in one of torch's long messages, in one line of plain text."""
    text = COLOUR.sub("", str(error))
    if missing := MISSING.search(text):
        return f"ONNX has no operator for {missing[1]}, or torch does not know it; use --format pt2"
    name = type(error).__name__
    if summary := SUMMARY.search(text):
        name, text = summary.groups()
    text = " ".join(MARKER.sub("", text).split())
    for end in ENDS:
        text = text.split(end)[0]
    return f"{name}: {text[:300]}"


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
