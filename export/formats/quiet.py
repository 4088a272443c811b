"""Silence torch's exporters, and shorten their errors to one line."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)'")
SUMMARY = re.compile(r"## Exception summary\s+<class '[\w.]*?(\w+)'>: (.*?)\s*(?:⬆|\(Refer to|$)", re.DOTALL)
"""The class and text of the error in a message of torch.onnx; the first match is the innermost error."""

ENDS = (" Caused by:", " For more information", " The following call raised", " To fix the error")
MARKER = re.compile(r"\s*~+ <--- HERE")


def reason(error: BaseException) -> str:
    """Return the cause of one of torch's long error messages, as one line of plain text."""
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
    """Silence the output, logs and warnings of torch's exporters; exceptions still pass through."""
    was_disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was_disabled)
