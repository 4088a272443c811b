"""Rephrase the errors of the public Python functions, so that they name arguments instead of options."""

import functools
import inspect
import json
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from linreg.dependencies import package_message
from linreg.errors import LinregError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

NAMES = {
    "input": "inputs",
    "inputs": "example",
    "unit": "units",
    "format": "formats",
    "batch": "batches",
    "variant": "variants",
    "env": "environments",
    "module": "model",
}
"""Arguments whose names differ from those of their options."""

FLAGS = {
    "no-bias": "bias=False",
    "no-shuffle": "shuffle=False",
    **{
        name: f"{name.replace('-', '_')}=True"
        for name in ("allow-collinear", "force", "keep-inputs", "static", "trust", "wait")
    },
}
WITH_VALUE = "architecture|batch-size|device|dtype|engine|format|loss|lr|method|opset|processes|reference|split"

HINTS = {"fit": "; pass two arrays as one pair: fit((X, y))"}
"""What a caller with too many positional arguments probably means, by function."""

WORDS = re.compile(
    r"(?P<command>linreg (?:[a-z]+ -|bisect )[^;]*)"
    r"|(?P<module> that was exported with --module)"
    r"|(?P<each>one --input\b)"
    r"|--(?P<mark>decimal|thousands|delimiter|missing) (?P<sign>\$?'[^']*'|\"[^\"]*\"|[.,](?= |;|$)|none\b)"
    r"|--[a-z-]+ \(in Python: (?P<told>[^)]*)\)"
    r"|(?P<output>another -o( BUNDLE)?\b)|(?P<folder>,? with -o\b)"
    r"|--static (?P<axes>(?=[\w,]*=)\w[\w,=]*)"
    r"|--(?P<subject>static)(?=:)"
    rf"|--(?P<flag>{'|'.join(FLAGS)})\b"
    rf"|--(?P<option>{WITH_VALUE}) (?P<value>(?!or\b|and\b)\w(?:[\w.+-]*\w)?)"
    r"|--(?P<name>[a-z]+(?:-[a-z]+)*)"
)


def in_python(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a public function so that its errors name Python arguments.

    The original text of an error is kept for the command line. The error of a missing package gets a note on how to
    install it.
    """
    parameters = inspect.signature(function).parameters.values()
    positional = sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)

    @functools.wraps(function)
    def translating(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if len(args) > positional:
            name = function.__name__
            raise LinregError(
                f"{name}: got {len(args)} arguments without a name, expected at most {positional}"
                f"{HINTS.get(name, '; name the others')}"
            )
        try:
            return function(*args, **kwargs)
        except LinregError as error:
            if error.on_command_line is None:
                error.on_command_line = str(error)
                error.args = (WORDS.sub(_argument, str(error)),)
            raise
        except ImportError as error:
            if not hasattr(error, "__notes__") and (message := package_message(error, f"linreg.{function.__name__}")):
                error.add_note(message)
            raise

    return translating


def _argument(found: re.Match[str]) -> str:
    """Return what Python calls an option; leave a whole command as it is."""
    if found["command"]:
        return found["command"]
    if found["module"]:
        return " of your own"
    if found["each"]:
        return "one text in inputs"
    if found["mark"]:
        sign = "\t" if found["sign"] == "$'\\t'" else found["sign"].strip("'\"") or found["sign"][1:-1]
        return f"{found['mark']}={json.dumps(sign, ensure_ascii=False)}"
    if found["told"]:
        return found["told"]
    if found["output"]:
        return "another folder"
    if found["folder"]:
        return ""
    if found["axes"]:
        return f"static={json.dumps(found['axes'])}"
    if found["flag"]:
        return FLAGS[found["flag"]]
    name = found["option"] or found["name"] or found["subject"]
    name = NAMES.get(name, name.replace("-", "_"))
    return name if found["value"] is None else f"{name}={_literal(found['value'])}"


def _literal(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return json.dumps(value)
    return value
