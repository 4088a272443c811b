"""A bundle is loaded with its card, and a card that disagrees with the weights is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linreg.checkpoint import load
from linreg.config import Architecture, Precision
from linreg.errors import ModelError
from linreg.models import LinearRegressionModelV2
from linreg.state_dict import state_bytes
from tests.checkpoints import bundle, card_of, refused, save


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"features": ("a", "b", "c")},
            "holds architecture linear with 2 features and a bias, but its card says linear w",
        ),
        (
            {"features": ("a",), "architecture": Architecture.PARAMETER},
            "but its card says parameter with 1; train again",
        ),
        ({"bias": False}, "holds architecture linear with 2 features and a bias, but its card says"),
        ({"dtype": Precision.FLOAT64}, "its tensors are torch.float32, but its card says float64"),
        ({"state_sha256": "0" * 64}, "does not hold the weights that its card names; train again, or restore the card"),
    ],
)
def test_a_card_that_disagrees(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    bundle(tmp_path, **changed)
    assert message in refused(tmp_path)
    assert message in refused(tmp_path / "model.pth")
    (tmp_path / "model.pth").rename(tmp_path / "bare.pth")
    assert load(tmp_path / "bare.pth").card is None


def test_weights_of_another_model_beside_a_card(tmp_path: Path) -> None:
    bundle(tmp_path)
    (tmp_path / "model.pth").write_bytes(state_bytes(LinearRegressionModelV2(2).state_dict()))
    assert "does not hold the weights that its card names" in refused(tmp_path)


def test_a_bad_card(tmp_path: Path) -> None:
    bundle(tmp_path)
    path = tmp_path / "card.json"
    value = json.loads(path.read_text())
    for text in ["", "[1]", "{}", json.dumps({**value, "features": []}), json.dumps({**value, "schema_version": 7})]:
        path.write_text(text)
        for name in (tmp_path, tmp_path / "model.pth"):
            with pytest.raises(ModelError, match=r"card\.json: "):
                load(name)
    path.unlink()
    assert load(tmp_path).card is None


def test_a_card_is_read_with_its_model(tmp_path: Path) -> None:
    model = bundle(tmp_path)
    card = load(tmp_path).card
    assert card == card_of(model)
    save(tmp_path, model, replace(card, target="z"))
    read = load(tmp_path / "model.pth").card
    assert read is not None
    assert read.target == "z"
