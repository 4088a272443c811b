"""A fitted model in Python, with its coefficients, metrics, predictions and plots; it can be saved and loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.affine import Affine
from linreg.arguments import as_path
from linreg.bundle import Bundle, open_bundle
from linreg.card import Card
from linreg.changes import Changes
from linreg.checkpoint import Checkpoint, files_of, load_settled
from linreg.coefficients import Coefficient, coefficients_of, unnamed_coefficients
from linreg.config import MODEL_FILE
from linreg.data import Part
from linreg.errors import ModelError
from linreg.escaping import printable
from linreg.in_python import in_python
from linreg.parts_in_memory import read_parts
from linreg.predict_like import UNNAMED, predict_like
from linreg.problem import Problem
from linreg.reading.choice import LeftOut
from linreg.saving import replacing, stage_model
from linreg.state_dict import state_sha256
from linreg.summary import Summary, summary_of, summary_without_card

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from linreg.models import LinearRegressionModel, LinearRegressionModelV2
    from linreg.parts import PredictedPart


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FittedModel:
    """A linear model and what is known about it, as returned by `linreg.fit` and `linreg.load`.

    Attributes:
        affine: the weight and the bias as arrays.
        card: features, target, settings, metrics and history; None for a bare .pth file.
        path: the state_dict file that the model was loaded from; None for a model that was just fitted.
        warnings: what the user should know about the fit, one line each.
        notes: what was left out, renamed or converted while the data or the file were read, one line each.
        left_out: the columns of a table that were not used, and why.
        interrupted_at: the last complete epoch, if training was interrupted; else None.
        fitted_to: the rows that the model was fitted to, as a table or by part; None for a model that was loaded.
    """

    affine: Affine
    card: Card | None
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    interrupted_at: int | None = None
    fitted_to: Problem | Mapping[str, Part] | None = None

    def __repr__(self) -> str:
        count = self.affine.weight.shape[1]
        inputs = f"{count} feature{'s' if count > 1 else ''}"
        if self.card is None:
            return f"FittedModel({inputs}, no card)"
        part = "test" if self.card.metrics.get("test") else "train"
        fit = self.card.metrics.get(part) or {}
        r2 = "" if fit.get("r2") is None else f", {part} R2 {fit['r2']:.4f}"
        return f"FittedModel({printable(self.card.target)!r} from {inputs}, {self.card.training['method']}{r2})"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    @cached_property
    def module(self) -> "LinearRegressionModel | LinearRegressionModelV2":
        """An `nn.Module` on the CPU, in eval mode; takes raw features of shape (rows, features).

        It is made when it is first used, which imports torch, and shares the memory of `affine`.
        """
        from linreg.models import module_of

        return module_of(self.affine)

    @cached_property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """The coefficients, with the bias last.

        The exact method also gives each a standard error, t, p and a 95 % interval.
        """
        return unnamed_coefficients(self.affine) if self.card is None else coefficients_of(self.card)

    @cached_property
    def parts(self) -> Mapping[str, Part] | None:
        """The rows that the model was fitted to, by part; None for a model that was loaded.

        A table is read into memory for this.
        """
        return read_parts(self.fitted_to) if isinstance(self.fitted_to, Problem) else self.fitted_to

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows, r2, rmse and mae of each part; empty if there is no card."""
        return {} if self.card is None else self.card.metrics

    @property
    def history(self) -> list[dict[str, Any]]:
        """The epoch, train_loss and test_loss of each recorded epoch; empty for the exact method.

        An epoch is recorded every `test_every` epochs, and so is the last one.
        """
        return [] if self.card is None else self.card.history

    @property
    def checkpoint(self) -> Checkpoint:
        """The model in the form that exporters take.

        Its path is `model.pth` if the model was not loaded from a file.
        """
        return Checkpoint(
            affine=self.affine,
            card=self.card,
            path=self.path or Path(MODEL_FILE),
            state_sha256=state_sha256(self.affine.state()),
            notes=self.notes if self.path else (),
        )

    @property
    def files(self) -> dict[str, bytes]:
        """The files to save, by name: the bytes of `model.pth` and, if there is a card, of `card.json`."""
        return files_of(self.affine, self.card)

    def summary(self) -> Summary:
        """Return the coefficients and metrics, which print as text and are shown as HTML in a notebook.

        Coefficients are rounded according to their standard errors; `coefficients` has all digits.

        Example:
            >>> model = linreg.fit("penguins.csv", target="body_mass_g")
            >>> print(model.summary())  # doctest: +ELLIPSIS
            body_mass_g: exact least squares, linear, float32
            ...
        """
        if self.card is None:
            return summary_without_card(self.affine, self.coefficients)
        return summary_of(self.card, self.coefficients)

    @in_python
    def predict(self, data: Any) -> Any:
        """Predict the target for every row.

        Args:
            data: a table (a CSV or Parquet file, or anything with `__arrow_c_stream__`) with the feature columns, in
                any order; other columns are ignored; or an array or tensor of shape (rows, features) in raw units.

        Returns:
            The same kind as `data`. For an array or a tensor: predictions of shape (rows,) in the model's dtype; NaN
            for a row that contains NaN. For a pandas or polars DataFrame: a DataFrame of that library with one column,
            `predicted`, one output row per input row; pandas keeps its index. For a file or any other table: a pyarrow
            Table with that column. A row without a value in some feature gets no prediction: NaN in pandas, else null.

        Raises:
            DataError: a column is missing, the shape is wrong, or a prediction is not finite.
            ModelError: `data` is a table and the model has no card, so its columns have no names.

        Example:
            >>> model = linreg.fit("penguins.csv", target="body_mass_g", features=["flipper_length_mm"])
            >>> model.predict(numpy.array([[180.0], [220.0]])).shape
            (2,)
        """
        return predict_like(data, self.affine, self.card)

    @in_python
    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> Bundle:
        """Save the model as a bundle, as `linreg train` does: `model.pth`, `card.json`, `manifest.json`, `SHA256SUMS`.

        Args:
            folder: the bundle; it is created if it does not exist.
            force: remove artifacts that were exported from other weights, and overwrite files that linreg did not
                write.

        Raises:
            LinregError: files would be lost and `force` is not set, or the folder cannot be written.

        Example:
            >>> linreg.fit(linreg.straight_line(), epochs=20).save("line")
            Bundle('line')
        """
        path = as_path("folder", folder)
        with replacing(path, command="linreg.FittedModel.save", force=force) as changes:
            self.stage(changes)
            changes.commit()
        return open_bundle(path)

    def stage(self, changes: Changes) -> None:
        """Stage the model and its manifest in the changes that `linreg.saving.replacing` yields."""
        stage_model(changes, self.files, state_sha256(self.affine.state()))

    @in_python
    def plot_predictions(self, data: Any = None, *, ax: "Axes | None" = None) -> "Axes":
        """Plot predictions against the feature or, if there are several features, against the actual values.

        Args:
            data: a table with features and target; None uses the rows that the model was fitted to.
            ax: matplotlib Axes to draw into; None makes a new figure.

        Raises:
            LinregError: there are no rows to plot, or a value is too large to be drawn.
        """
        from linreg import plots

        card = self._described()
        return plots.predictions(self._predicted_parts(data), features=card.features, target=card.target, ax=ax)

    @in_python
    def plot_residuals(self, data: Any = None, *, ax: "Axes | None" = None) -> "Axes":
        """Plot residuals (actual - predicted) against predictions.

        Args:
            data: a table with features and target; None uses the rows that the model was fitted to.
            ax: matplotlib Axes to draw into; None makes a new figure.

        Raises:
            LinregError: there are no rows to plot, or a value is too large to be drawn.
        """
        from linreg import plots

        return plots.residuals(self._predicted_parts(data), target=self._described().target, ax=ax)

    @in_python
    def plot_loss_curves(self, *, ax: "Axes | None" = None) -> "Axes":
        """Plot train and held-out loss by epoch.

        Args:
            ax: matplotlib Axes to draw into; None makes a new figure.

        Raises:
            LinregError: the exact method has no history.
        """
        from linreg import plots

        return plots.loss_curves(self._described(), ax=ax)

    def _described(self) -> Card:
        if self.card is None:
            raise ModelError(f"plot: {UNNAMED}; use a bundle made by linreg train")
        return self.card

    def _predicted_parts(self, data: Any) -> "dict[str, PredictedPart]":
        from linreg.predicted_parts import predicted_parts

        return predicted_parts(self.affine, self._described(), data, fitted_to=self.fitted_to)


@in_python
def load(path: str | os.PathLike[str]) -> FittedModel:
    """Load a model that `linreg train` or `FittedModel.save` wrote.

    Args:
        path: a bundle, or a .pth file with a state_dict of a linreg model or of a single `nn.Linear`. No code is
            unpickled.

    Raises:
        ModelError: the file is damaged, or contradicts its card.
        MismatchError: the bytes of a file differ from its manifest.

    Example:
        >>> bundle = linreg.fit(linreg.straight_line()).save("line")
        >>> linreg.load(bundle)
        FittedModel('y' from 1 feature, sgd, test R2 0.9999)
    """
    found = load_settled(as_path("path", path))
    return FittedModel(affine=found.affine, card=found.card, path=found.path, notes=found.notes)
