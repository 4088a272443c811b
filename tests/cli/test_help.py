"""`--help`: plain text in groups that fits the terminal, with examples that work as pasted."""

import inspect
import re
import shlex
import shutil
from typing import Annotated

import numpy as np
import pytest
import typer

from linreg.cli import main as cli
from tests.conftest import PENGUINS

MODULES = {
    module.NAME: module
    for module in (
        cli.train,
        cli.evaluate,
        cli.predict,
        cli.plot,
        cli.export,
        cli.verify,
        cli.bisect,
        cli.inspect,
        cli.bench,
        cli.serve,
        cli.demo,
        cli.doctor,
    )
}
COMMANDS = typer.main.get_command(cli.app).commands
EXAMPLES = {name: module.EXAMPLES for name, module in MODULES.items()}
PARSED_ONLY = ("bench", "serve", "demo")
"""Running these takes minutes, or until Ctrl-C."""

NETS = """
import torch

def make_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
"""


@pytest.fixture
def at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_every_command_is_in_the_program_and_has_examples():
    assert list(COMMANDS) == list(MODULES)
    for name, lines in {"": cli.EXAMPLES, **EXAMPLES}.items():
        assert len(lines) == 2
        assert all(line.startswith(f"linreg {name}") for line in lines)


@pytest.mark.parametrize("command", ["", *MODULES])
def test_help_ends_with_the_examples(linreg, at_80_columns, command):
    ended = linreg(*command.split(), "--help")
    lines = EXAMPLES[command] if command else cli.EXAMPLES
    assert ended.out.endswith("\nExamples:\n" + "".join(f"  {line}\n" for line in lines))


@pytest.mark.parametrize("command", ["", *MODULES])
def test_help_fits_80_columns_without_broken_words(linreg, at_80_columns, command):
    text = linreg(*command.split(), "--help").out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    shown = " ".join(text.split())
    if command:
        for parameter in COMMANDS[command].params:
            assert " ".join((parameter.help or "").split()) in shown


def test_brackets_are_shown_and_not_taken_for_markup(linreg):
    assert "x=float32[batch,16]" in linreg("export", "--help").out


def test_a_long_list_of_options_is_grouped_and_a_short_one_is_not():
    def headings(count):
        declared = {f"option_{place}": typer.Option(help="Text.", rich_help_panel="Model") for place in range(count)}

        def run(**_): ...

        run.__signature__ = inspect.Signature(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=Annotated[int, option])
            for name, option in declared.items()
        )
        run.__annotations__ = {name: Annotated[int, option] for name, option in declared.items()}
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(cls=cli.Command)(run)
        command = typer.main.get_command(app)
        return re.findall(r"^(\w+):", command.get_help(typer.Context(command)), re.MULTILINE)

    assert headings(12) == ["Usage", "Model", "Options"]
    assert headings(5) == ["Usage", "Options"]


@pytest.mark.parametrize("command", PARSED_ONLY)
def test_slow_examples_are_parsed(command):
    for line in EXAMPLES[command]:
        words = shlex.split(line, comments=True)[2:]
        COMMANDS[command].make_context(command, words)


def test_every_other_example_runs_as_pasted(linreg, tmp_path):
    shutil.copy(PENGUINS, tmp_path / "penguins.csv")
    (tmp_path / "nets.py").write_text(NETS)
    np.savez(tmp_path / "batch.npz", x=np.zeros((2, 16), np.float32))
    later = [name for name in MODULES if name not in ("train", "export", *PARSED_ONLY)]
    lines = [
        *EXAMPLES["train"],
        *cli.EXAMPLES,
        *EXAMPLES["export"],
        *(line for name in later for line in EXAMPLES[name]),
    ]
    for line in dict.fromkeys(lines):
        words = shlex.split(line, comments=True)[1:]
        ended = linreg(*(words[: words.index(">")] if ">" in words else words))
        assert ended.code == 0, (line, ended)
