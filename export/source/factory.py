"""Call the user's factory, the function or class that makes a module, with arguments given as text."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from export.source.place import Place
from export.source.python_file import imports_of
from export.source.user_code import users_code
from linreg.errors import ExportError

PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def parse_argument(text: str) -> tuple[str, Any]:
    """Split `hidden=64` into a name and a value: JSON, or else the text itself.

    Raises:
        ExportError: the text has another form, or the value is a constant of Python that JSON writes differently.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ExportError(f"--arg: got {text!r}, expected NAME=VALUE such as hidden=64 or activation=relu")
    if value in PYTHON_WORDS:
        raise ExportError(
            f"--arg: got {text!r}, expected JSON: {name}={PYTHON_WORDS[value]}, or {name}='\"{value}\"' for the text"
        )
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def parse_arguments(texts: Iterable[str]) -> dict[str, Any]:
    """Parse the values of several `--arg`.

    Raises:
        ExportError: a text has another form, or a name is given twice.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, value = parse_argument(text)
        if name in arguments:
            raise ExportError(f"--arg: {name} is given twice; leave one of them out")
        arguments[name] = value
    return arguments


def call_factory(
    made: Callable[..., Any], found: Place, arguments: Mapping[str, Any] | None = None, option: str = "--module"
) -> Any:
    """Call a user's function or class; its imports find the modules beside its file.

    Args:
        made: the function or class.
        found: its place.
        arguments: arguments by name.
        option: the command-line option that named the place.

    Raises:
        ExportError: an argument is unknown or missing, or the function or class raises an exception.
    """
    given = dict(arguments or {})
    _check_known(made, found, given)
    if missing := [name for name in needed_arguments(made) if name not in given]:
        call = f"{found.name}({', '.join(f'{name}=...' for name in missing)})"
        by_option = f", or give {' '.join(f'--arg {name}=...' for name in missing)}" if option == "--module" else ""
        what = "with these arguments" if given else "without arguments"
        raise ExportError(
            f"{found}: cannot be called {what} (it needs {', '.join(missing)}); write a function that passes them: "
            f"return {call}{by_option}"
        )
    called = f"called with {', '.join(given)}" if given else "called without arguments"
    with users_code(f"{found}: cannot be {called}", file=found.file.resolve()), imports_of(found):
        return made(**given)


def _check_known(made: Callable[..., Any], found: Place, given: Mapping[str, Any]) -> None:
    parameters = _parameters(made)
    if not given or parameters is None or any(entry.kind is entry.VAR_KEYWORD for entry in parameters):
        return
    names = [entry.name for entry in parameters if entry.kind in (entry.POSITIONAL_OR_KEYWORD, entry.KEYWORD_ONLY)]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'none'}"
            raise ExportError(f"--arg: {found} has no argument {name!r}; {hint}")


def needed_arguments(made: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without a default; none if the signature is not known."""
    return [
        entry.name
        for entry in _parameters(made) or ()
        if entry.default is entry.empty and entry.kind not in (entry.VAR_POSITIONAL, entry.VAR_KEYWORD)
    ]


def _parameters(made: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Return the parameters of a function or class; None if its signature is not known."""
    try:
        return list(inspect.signature(made).parameters.values())
    except (TypeError, ValueError):
        return None
