"""Explain wrong usage: what is wrong with the command line, what was probably meant, and what to type."""

import re
import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from export.formats.names import READ_ONNX
from export.precision import NO_BFLOAT16
from export.source.fixing import ALL
from linreg.cli.help_text import write_help
from linreg.cli.words import ARGUMENT, option_meant, value_meant
from linreg.errors import LinregError
from linreg.local_paths import check_local
from linreg.memory import BASE_BYTES, LIGHT_BYTES, check_address_space

SEPARATORS = {
    "--batch": ",",
    "--threads": ",",
    "--features": ",",
    "--columns": ",",
    "--input-names": ",",
    "--output-names": ",",
    "--split": "/",
    "--static": ",",
}
"""Separator between the values of an option that takes several in one argument."""


WITHOUT_VALUE = {"--static": ALL}
"""The value of an option that is given without one: last, or before another option."""


class Program(TyperGroup):
    """The program as a whole, with our plain-text `--help`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the `--help` text."""
        write_help(self, ctx, formatter)


class Command(TyperCommand):
    """A command with our plain-text `--help` that refuses options which would be misread."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the `--help` text."""
        write_help(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; a long option needs both dashes, and an output is a path on this machine.

        Raises:
            typer.BadParameter: an option has a single dash: `-output x` would be parsed as `-o utput`; or the output is
                a URI.
        """
        if not ctx.resilient_parsing:  # not for shell completion
            for word in args[: args.index("--")] if "--" in args else args:
                name = word.partition("=")[0]
                if re.fullmatch(r"-[a-z][a-z-]+", name) and f"-{name}" in _options(self):
                    raise typer.BadParameter(f"No such option: {name}; did you mean -{name}?", ctx=ctx)
        following = [*args[1:], "-"]
        bare = [word in WITHOUT_VALUE and following[place].startswith("-") for place, word in enumerate(args)]
        rest = super().parse_args(
            ctx, [f"{word}={WITHOUT_VALUE[word]}" if alone else word for word, alone in zip(args, bare, strict=True)]
        )
        if ctx.params.get("output") is not None:
            try:
                check_local(ctx.params["output"])
            except LinregError as error:
                raise typer.BadParameter(f"--output: {error}", ctx=ctx) from None
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command, after checking that there is memory for the packages it loads; `inspect` loads none.

        Raises:
            LinregError: `ulimit -v` leaves too little memory.
        """
        if self.name != "inspect":
            path = ctx.params.get("model") or ctx.params.get("bundle")
            light = self.name in ("predict", "verify") and path is not None and path.suffix == ".onnx"
            check_address_space(LIGHT_BYTES if light else BASE_BYTES)
        return super().invoke(ctx)


def usage_message(error: Any, words: list[str]) -> str:
    """Return one line that describes a usage error from typer, whose error classes are private.

    Args:
        error: exception that was raised.
        words: command-line arguments, without the program name.
    """
    context = getattr(error, "ctx", None)
    text = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    text = _in_our_words(text, getattr(error, "__cause__", None))
    choice = re.search(r"'?: '(.*)' is not one of ('.*')$", text)
    text = re.sub(r"^(No such command .*)\. Did you mean (.*\?)$", r"\1; did you mean \2", text)
    if getattr(error, "option_name", None) and text.startswith("No such option"):
        text = f"{error.message}{_option_hint(error, context, words)}"
    elif choice:
        text += _choice_hint(choice[1], re.findall("'([^']*)'", choice[2]), getattr(error, "param", None))
    elif "unexpected extra argument" in text and context is not None:
        text += _extra_hint(context, words)
    path = context.command_path if context else "linreg"
    return f"{text.removeprefix('Invalid value: ')}{'' if text.endswith('?') else ';'} see: {path} --help"


def _in_our_words(text: str, cause: Any) -> str:
    """Rephrase pydantic's message about a number, and include the value that was given."""
    before, _, expected = text.partition("Input should be ")
    if not expected or not hasattr(cause, "errors"):
        return text
    for theirs, ours in (
        ("greater than or equal to", "at least"),
        ("less than or equal to", "at most"),
        ("a valid integer", "a whole number"),
        ("a valid number", "a number"),
    ):
        if expected.startswith(theirs):
            limit = expected.removeprefix(theirs).partition(",")[0]
            return f"{before}got {cause.errors()[0]['input']!r}, expected {ours}{limit}"
    return text


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _option_hint(error: Any, context: Any, words: list[str]) -> str:
    """Suggest our name for an unknown option, or one with a similar spelling."""
    if context is None:
        return ""
    takes = [parameter for parameter in context.command.params if parameter.param_type_name == "argument"]
    known = {"--help", *_options(context.command), *([ARGUMENT] if takes else [])}
    meant = option_meant(error.option_name, known)
    if meant == ARGUMENT:
        place = next((place for place, word in enumerate(words) if word.startswith(error.option_name)), -1)
        value = words[place + 1] if 0 <= place < len(words) - 1 else takes[0].name.upper()
        return f"; pass it without an option: {context.command_path} {shlex.quote(value)}"
    if meant is None and error.possibilities:
        meant = error.possibilities[0]
    return f"; did you mean {meant}?" if meant else ""


def _choice_hint(word: str, choices: list[str], parameter: Any) -> str:
    """Suggest our name for an unknown value, or one with a similar spelling."""
    several = [value.strip() for value in word.split(",")]
    if getattr(parameter, "multiple", False) and len(several) > 1 and set(several) <= set(choices):
        option = min(parameter.opts, key=len)
        return f"; repeat the option: {' '.join(f'{option} {value}' for value in several)}"
    if word.lower().lstrip(".") in READ_ONNX.split() and "onnx" in choices:
        return f"; a converter to {word} reads ONNX: -f onnx"
    if word.lower() in ("bfloat16", "bf16") and "float16" in choices:
        return f"; {NO_BFLOAT16}"
    near = value_meant(word.lstrip("."), choices) or next(iter(get_close_matches(word, choices, n=1)), None)
    return f"; did you mean {near!r}?" if near else ""


def _extra_hint(context: Any, words: list[str]) -> str:
    """Say where extra arguments belong."""
    command = context.command
    _, extra, _ = command.make_parser(context).parse_args(args=words[1:])
    plain = [word for word in words if not word.startswith("-")][1:]
    has_model = any(word.partition("=")[0] in ("-m", "--model") for word in words)
    return (
        _several_hint(command, words, extra)
        or _model_hint(context, plain, extra, has_model=has_model)
        or _one_hint(context, extra)
    )


def _several_hint(command: Any, words: list[str], extra: list[str]) -> str:
    """Return a hint if several values follow an option, separated by spaces."""
    by_option = {name: parameter for parameter in command.params for name in parameter.opts}
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        values = [value] if equals else []
        for following in words[place + 1 :]:
            if following.startswith("-") or (values and Path(following).exists()):
                break
            values.append(following)
        if option not in by_option or len(values) < 2 or not set(values[1:]) & set(extra):
            continue
        if (separator := SEPARATORS.get(option)) is not None:
            joined = separator.join(value.strip(",") for value in values)
            return f"; write several values as one argument: {option} {joined}"
        if by_option[option].multiple:
            return f"; repeat the option for each: {' '.join(f'{option} {value}' for value in values)}"
    return ""


def _model_hint(context: Any, plain: list[str], extra: list[str], *, has_model: bool) -> str:
    """Return a hint if a model was given in place of a table, or to a command that takes no argument."""
    if "--model" not in _options(context.command) or has_model:
        return ""
    models = [word for word in plain if Path(word).is_dir() or Path(word).suffix in (".pth", ".onnx")]
    takes = any(parameter.param_type_name == "argument" for parameter in context.command.params)
    if takes and models:
        tables = [word for word in plain if word in extra or word not in models]
        table = next((word for word in tables if word not in models), "TABLE")
        return f"; name the model with -m: {context.command_path} {shlex.quote(table)} -m {shlex.quote(models[0])}"
    return "" if takes else f"; name the model with -m: {context.command_path} -m {shlex.quote(extra[0])}"


def _one_hint(context: Any, extra: list[str]) -> str:
    takes = [parameter for parameter in context.command.params if parameter.param_type_name == "argument"]
    if not takes:
        return f"; {context.command_path} takes options only"
    if "--target" in _options(context.command) and not Path(extra[0]).exists():
        return f"; is it the column to predict? --target {shlex.quote(extra[0])}"
    one = f"; {context.command_path} takes one {takes[0].name.upper()} at a time"
    if takes[0].name == "table" and all(Path(word).is_file() for word in extra):
        pattern = Path(extra[0]).with_name(f"*{Path(extra[0]).suffix}")
        return f"{one}: for several files as one table, quote a pattern: {shlex.quote(str(pattern))}"
    return one
