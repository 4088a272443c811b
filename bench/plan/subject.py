"""The model to time, described so that a fresh process can load it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from export.source.arguments import Arguments
    from export.source.given_inputs import GivenInputs
    from export.source.source import Source


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model of `linreg train`, or the user's own module.

    Attributes:
        path: bundle or .pth file; if there is a `module`, the file of its state_dict, or empty.
        module: `FILE.py:NAME` or `package.module:NAME` of the user's own module, whose code is run; empty for a model
            of `linreg train`.
        arguments: arguments of the function or class that makes the module, each `NAME=VALUE`.
        inputs: inputs of the module, such as `x=float32[batch,16]`; empty if a bundle describes them.
        bundle: bundle of the module, whose card describes its inputs; empty if `inputs` do.
    """

    path: str = ""
    module: str = ""
    arguments: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    bundle: str = ""

    def module_itself(self) -> "nn.Module":
        """Load a new instance of the module, in eval mode.

        Raises:
            LinregError: the model cannot be loaded.
        """
        if not self.module:
            from linreg.checkpoint import load

            return load(Path(self.path)).model
        from export.source.user_module import load_module

        return load_module(self.module, Path(self.path) if self.path else None, self.arguments).eval()

    def arguments_of_forward(self, module: "nn.Module") -> "Arguments | None":
        """Return how inputs become the arguments of the module; None if they are passed by position.

        Raises:
            ExportError: the inputs are not those of its forward.
        """
        if not (self.inputs or self.bundle):
            return None
        from export.source.card import inputs_of_card
        from export.source.forward import match_inputs
        from export.source.user_module import parse_input
        from linreg.module_card_file import required_card

        if self.bundle:
            return match_inputs(module, inputs_of_card(required_card(Path(self.bundle))))[0]
        return match_inputs(module, [parse_input(text) for text in self.inputs])[0]

    def source(self, own: "Sequence[GivenInputs]" = ()) -> "Source":
        """Load a new instance of the module, and return it as a source that can be exported.

        Args:
            own: the user's own inputs of the module.

        Raises:
            LinregError: the model cannot be loaded or exported.
        """
        if not self.module:
            from export.source.source import from_checkpoint
            from linreg.checkpoint import load

            return from_checkpoint(load(Path(self.path)))
        if self.bundle:
            from export.bundle.module_sources import ModuleSources

            return ModuleSources(self.module_itself(), Path(self.bundle)).source(None)
        from export.source.forward import match_inputs
        from export.source.module_source import from_module
        from export.source.own_inputs import own_inputs, with_own_inputs
        from export.source.user_module import parse_input

        module = self.module_itself()
        _, entries = match_inputs(module, [parse_input(text) for text in self.inputs])
        fitting = own_inputs(entries, own)
        return with_own_inputs(from_module(module, entries), fitting)
