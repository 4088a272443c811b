"""What an interruption leaves of training."""

from collections.abc import Callable

import pytest
import torch

from linreg import descent
from linreg.config import DeviceChoice, LineSettings, Loss, TrainSettings
from linreg.data import split, straight_line
from linreg.training import Fit, fit

SETTINGS = TrainSettings(device=DeviceChoice.CPU, epochs=100)


def interrupted(progress: Callable[[int, float], None], *, keep: bool, settings: TrainSettings = SETTINGS) -> Fit:
    dataset = straight_line(LineSettings())
    parts = split(dataset, (0.8, 0.2), shuffle_seed=None)
    return fit(dataset, parts, settings, progress=progress, keep_on_interrupt=keep)


def at(epoch: int) -> Callable[[int, float], None]:
    def interrupt(now: int, _loss: float) -> None:
        if now == epoch:
            raise KeyboardInterrupt

    return interrupt


def test_the_interruption_passes_through_unless_asked_to_keep() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(at(30), keep=False)


def test_the_parameters_of_the_lowest_train_loss_are_kept() -> None:
    """A rate that oscillates: the last parameters are not the best ones."""
    settings = TrainSettings(device=DeviceChoice.CPU, epochs=200, lr=0.4, loss=Loss.L1)
    losses: list[float] = []

    def progress(epoch: int, loss: float) -> None:
        losses.append(loss)
        if epoch == 60:
            raise KeyboardInterrupt

    kept = interrupted(progress, keep=True, settings=settings)
    assert kept.interrupted_at == 60
    assert min(losses) < losses[-1]
    assert kept.metrics["train"].mae == pytest.approx(min(losses), rel=1e-6)


def test_an_interruption_in_the_middle_of_a_step_leaves_whole_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    right, calls = descent.train_epoch, []

    def half(model, batches, loss_fn, optimizer):  # type: ignore[no-untyped-def]
        if len(calls) == 5:
            with torch.no_grad():
                next(model.parameters()).fill_(99)
            raise KeyboardInterrupt
        calls.append(right(model, batches, loss_fn, optimizer))
        return calls[-1]

    monkeypatch.setattr(descent, "train_epoch", half)
    kept = interrupted(lambda *_: None, keep=True)
    assert kept.metrics["train"].mae == pytest.approx(min(calls), rel=1e-6)


def test_before_the_first_epoch_there_is_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(descent, "train_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        interrupted(lambda *_: None, keep=True)
