"""Make the module that `--module` names."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.cli.bundle import show_notes
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note
from linreg.config import MODEL_FILE
from linreg.errors import ModelError

if TYPE_CHECKING:
    from export.source.given_inputs import GivenInputs
    from export.source.user_module import MadeModule


def own_sets(made: "MadeModule", inputs_from: Sequence[str]) -> "list[GivenInputs]":
    """Read the user's own inputs: those of `--inputs`, or else those that come with the module.

    Raises:
        LinregError: a file or function gives something else than inputs.
    """
    from export.source.input_files import own_sets

    with prints_on_stderr():
        return own_sets(made, tuple(inputs_from))


def run_module(place: str, state_dict: Path | None, arguments: Sequence[str] = ()) -> "MadeModule":
    """Run the code of `FILE.py:NAME` and make its module; print notes on what is run, changed and loaded.

    Raises:
        LinregError: the file makes no module, or the parameters are those of another module.
    """
    from export.source.place import MODULE, find_place
    from export.source.user_module import load_file_into, make_module

    note(f"running {find_place(place, '--module', MODULE).code}")
    with prints_on_stderr():
        made = make_module(place, arguments)
        for line in made.notes:
            note(line)
        if state_dict is not None:
            show_notes(state_dict, load_file_into(made.module, state_dict))
    return made


def run_module_of(place: str, bundle: Path, arguments: Sequence[str] = ()) -> "MadeModule":
    """Do what `run_module` does, with the weights of the module's bundle.

    Raises:
        LinregError: the bundle holds no module, the file makes no module, or the weights are those of another module.
    """
    from linreg.module_card_file import required_card

    card = required_card(bundle)
    try:
        return run_module(place, bundle / MODEL_FILE, arguments)
    except ModelError as error:
        exported = "" if card.code is None else f", which was {card.code}"
        raise ModelError(f"{error}; --module must name the code that was exported{exported}") from None
