"""Make the sources of a module's bundle again: from the user's module, and from the inputs in the card."""

from pathlib import Path

from torch import nn

from export.precision import ExportPrecision
from export.proof.budget import LEAST_DEFAULT_S
from export.proof.verification import Verification
from export.proof.verify import verify
from export.runners.base import Runner
from export.source.card import source_of_card
from export.source.source import Source
from export.source.unfit import check_module
from export.source.unwrapping import unwrap
from linreg.config import MODEL_FILE
from linreg.errors import MismatchError, ModelError
from linreg.manifest import Manifest, read_manifest
from linreg.module_card_file import required_card
from linreg.state_dict import state_sha256
from linreg.state_loading import check_state
from linreg.state_reading import load_state


class ModuleSources:
    """The source of a bundle's module in each precision, made once each."""

    def __init__(
        self, module: nn.Module, folder: Path, manifest: Manifest | None = None, *, budget_s: float | None = None
    ) -> None:
        """Check that the bundle was exported from this module.

        Args:
            module: the user's module, with the weights of the bundle.
            folder: the bundle.
            manifest: its manifest, if it was already read.
            budget_s: time for the proof of one file; None: `export.proof.budget.LEAST_DEFAULT_S`.

        Raises:
            ExportError: it is not a module that can be exported.
            ModelError: the bundle does not describe a module, or the module has other parameters than the bundle.
            MismatchError: the parameters have other values than those of the bundle.
        """
        manifest = manifest or read_manifest(folder)
        self._card = required_card(folder, manifest)
        assert manifest is not None, "a bundle with a card has one"
        self._module = unwrap(check_module(module))[0]
        self._budget_s = LEAST_DEFAULT_S if budget_s is None else budget_s
        self._made: dict[ExportPrecision | None, Source] = {}
        own = self._module.state_dict()
        if state_sha256(own) == manifest.state_sha256:
            return
        try:
            check_state(load_state(folder / MODEL_FILE, manifest), own)
        except ModelError as error:
            raise ModelError(
                f"{folder / MODEL_FILE}: is not the state_dict of this module: {error}; name the code that the bundle "
                "was exported from"
            ) from None
        raise MismatchError(
            f"{folder / MODEL_FILE}: holds other values than the module; load it first: "
            "module.load_state_dict(torch.load(FILE, weights_only=True))"
        )

    def prove(
        self, runner: Runner, precision: ExportPrecision | None, *, unoptimised: Runner | None = None
    ) -> Verification:
        """Compare the outputs of a file, also without graph optimisation, with the float64 outputs of the module.

        Raises:
            MismatchError: a parameter or an output differs.
            ExportError: the module does not take the inputs or return the outputs of the card.
        """
        return verify(runner, self.source(precision), unoptimised=unoptimised, budget_s=self._budget_s)

    def source(self, precision: ExportPrecision | None) -> Source:
        """Return the source in one precision; None is the module's own.

        Raises:
            ExportError: the module does not take the inputs or return the outputs of the card.
        """
        if precision not in self._made:
            self._made[precision] = source_of_card(self._module, self._card, precision)
        return self._made[precision]
