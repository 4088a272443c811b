"""Fit the straight line, the example data set."""

from dataclasses import asdict

from linreg import data as datasets
from linreg.card import ranges_of
from linreg.config import TRAINING, TrainSettings
from linreg.data import Dataset
from linreg.fitted import FittedModel
from linreg.problem import Progress
from linreg.split_text import parse_split
from linreg.training import card_of
from linreg.training import fit as train


def fit_line(
    dataset: Dataset, settings: TrainSettings, *, split: str, keep_on_interrupt: bool, progress: Progress | None
) -> FittedModel:
    """Fit a straight line, whose points are computed again in the dtype of the model."""
    line = dataset.line
    assert line is not None
    dataset = datasets.straight_line(line, settings.dtype)
    parts = datasets.split(dataset, parse_split(split), shuffle_seed=None)
    result = train(
        dataset,
        parts,
        settings,
        progress=None if progress is None else lambda epoch, _loss: progress(TRAINING, epoch + 1, settings.epochs),
        keep_on_interrupt=keep_on_interrupt,
    )
    x = dataset.features
    data = {
        "kind": "line",
        "line": asdict(line),
        "split": split,
        "shuffled": False,
        "sha256": dataset.sha256,
        "ranges": ranges_of(dataset.feature_names, x.min(axis=0), x.max(axis=0)),
    }
    return FittedModel(
        affine=result.affine,
        card=card_of(dataset.feature_names, dataset.target_name, data, settings, result),
        warnings=result.warnings,
        interrupted_at=result.interrupted_at,
        fitted_to=dict(parts.items()),
    )
