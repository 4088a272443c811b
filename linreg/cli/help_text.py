"""Write `--help` as plain text, with options in groups and examples last.

typer's rich formatter reads `[batch,16]` as markup and drops it, and click's formatter breaks lines at hyphens. So the
text is laid out here, without color, to fit the terminal, up to 80 columns.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

FEW_OPTIONS = 10
"""Shorter option lists are not divided into groups."""

WIDEST_NAME = 26
"""Longest option with its description on the same line; the description of a longer one starts on the next line."""


def write_help(command: Any, context: Any, formatter: Any) -> None:
    """Write the usage, description, options and examples of a command to click's formatter.

    Options are grouped by their `rich_help_panel`; those without one are listed under "Options". The examples are the
    lines of the command's `epilog`.

    Args:
        command: the click command or group.
        context: its click context.
        formatter: provides the width and takes the text.
    """
    width = formatter.width
    usage = " ".join([context.command_path, "[OPTIONS]", *_arguments_of(command)])
    formatter.write(f"Usage: {usage}\n")
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        formatter.write(f"\n{_wrapped(paragraph, width, '  ')}\n")
    for heading, rows in _sections(command, context):
        formatter.write(f"\n{heading}:\n")
        formatter.write("".join(f"{line}\n" for line in _laid_out(rows, width)))
    if command.epilog:
        formatter.write("\nExamples:\n")
        formatter.write("".join(f"  {line}\n" for line in command.epilog.splitlines()))


def _arguments_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.name.upper()
            yield name if parameter.required else f"[{name}]"
    if hasattr(command, "commands"):
        yield "COMMAND [ARGS]..."


def _sections(command: Any, context: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each heading with its rows of name and description, in the order in which the command declares them."""
    parameters = command.get_params(context)
    grouped = sum(parameter.param_type_name == "option" for parameter in parameters) > FEW_OPTIONS
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(context)
        if record is None:  # hidden
            continue
        name, text = record
        if parameter.param_type_name == "argument":
            sections.setdefault("Arguments", []).append((parameter.name.upper(), text))
        else:
            panel = getattr(parameter, "rich_help_panel", None) if grouped else None
            sections.setdefault(panel or "Options", []).append((_named(name), text))
    if "Options" in sections:  # the general ones, --help among them, come last
        sections["Options"] = sections.pop("Options")
    yield from sections.items()
    if commands := getattr(command, "commands", {}):
        yield "Commands", [(name, each.get_short_help_str(1000)) for name, each in commands.items()]


def _named(name: str) -> str:
    """Return an option as typer shows it, but with a type in plain words: `<str>` instead of `<list[str]>`."""
    return re.sub(r"<list\[(.*)\]>", r"<\1>", name).replace(" range>", ">")


def _laid_out(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Lay out two columns; if a name is too long for the first, its description starts on the next line."""
    column = min(max(len(name) for name, _ in rows), WIDEST_NAME) + 4
    for name, text in rows:
        lines = _wrapped(text, width, " " * column).split("\n")
        if len(name) > column - 4:
            yield f"  {name}"
        else:
            lines[0] = f"  {name}".ljust(column) + lines[0].lstrip()
        yield from (line.rstrip() for line in lines)


def _wrapped(text: str, width: int, indent: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
