"""The model to time, described so that a fresh process can load it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from export.source.source import Source


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model of `linreg train`, or a module of the user's own.

    Attributes:
        path: path of a bundle or .pth file; with `module`, path of its state_dict, or empty.
        module: `FILE.py:NAME`, which is run; empty for a model of linreg's.
        inputs: what the module takes, such as `x=float32[batch,16]`.
    """

    path: str = ""
    module: str = ""
    inputs: tuple[str, ...] = ()

    def module_itself(self) -> "nn.Module":
        """A new module in eval mode.

        Raises:
            LinregError: it cannot be loaded.
        """
        if not self.module:
            from linreg.checkpoint import load

            return load(Path(self.path)).model
        from export.source.user_module import load_module

        return load_module(self.module, Path(self.path) if self.path else None).eval()

    def source(self) -> "Source":
        """A source with a new module.

        Raises:
            LinregError: the model cannot be loaded or exported.
        """
        if not self.module:
            from export.source.source import from_checkpoint
            from linreg.checkpoint import load

            return from_checkpoint(load(Path(self.path)))
        from export.source.source import from_module
        from export.source.user_module import parse_input

        return from_module(self.module_itself(), [parse_input(text) for text in self.inputs])
