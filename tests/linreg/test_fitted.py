"""A fitted model: predictions of the same kind as the data, saving and loading, plots."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import linreg
from tests.conftest import PENGUINS, contents

FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]


@pytest.fixture(scope="module")
def model() -> linreg.FittedModel:
    return linreg.fit(PENGUINS, target="body_mass_g", features=FEATURES)


def by_hand(model: linreg.FittedModel, rows: Any) -> Any:
    *weight, bias = [entry.value for entry in model.coefficients]
    return np.asarray(rows, np.float64) @ weight + bias


ROWS = np.array([[39.1, 18.7, 181.0], [46.5, 17.9, 192.0], [50.0, 16.3, 230.0]])


def test_an_array_gives_an_array(model: linreg.FittedModel) -> None:
    predicted = model.predict(ROWS)
    assert isinstance(predicted, np.ndarray)
    assert (predicted.shape, predicted.dtype) == ((3,), np.float32)
    np.testing.assert_allclose(predicted, by_hand(model, ROWS), rtol=1e-5)
    assert np.isnan(model.predict(np.where(ROWS == 46.5, np.nan, ROWS))).tolist() == [False, True, False]


def test_a_tensor_gives_a_tensor(model: linreg.FittedModel) -> None:
    predicted = model.predict(torch.tensor(ROWS, requires_grad=True))
    assert isinstance(predicted, torch.Tensor)
    np.testing.assert_allclose(predicted.numpy(), by_hand(model, ROWS), rtol=1e-5)


def test_a_pandas_frame_gives_one_with_the_same_index(model: linreg.FittedModel) -> None:
    frame = pandas.DataFrame(ROWS[:, ::-1], columns=FEATURES[::-1], index=["a", "b", "c"])
    frame.loc["b", "bill_depth_mm"] = None
    predicted = model.predict(frame)
    assert isinstance(predicted, pandas.DataFrame)
    assert list(predicted.index) == ["a", "b", "c"]
    assert list(predicted.columns) == ["predicted"]
    assert predicted["predicted"].isna().tolist() == [False, True, False]
    np.testing.assert_allclose(predicted.loc[["a", "c"], "predicted"], by_hand(model, ROWS[[0, 2]]), rtol=1e-5)


def test_a_polars_frame_gives_one(model: linreg.FittedModel) -> None:
    frame = polars.DataFrame(ROWS, schema=FEATURES).with_columns(island=polars.lit("Biscoe"))
    frame[1, "bill_depth_mm"] = None
    predicted = model.predict(frame)
    assert isinstance(predicted, polars.DataFrame)
    assert predicted["predicted"].is_null().to_list() == [False, True, False]
    assert predicted["predicted"].to_list()[2] == pytest.approx(by_hand(model, ROWS)[2], rel=1e-5)


def test_a_pyarrow_table_and_a_file_give_a_pyarrow_table(model: linreg.FittedModel) -> None:
    table = pa.table(dict(zip(FEATURES, ROWS.T, strict=True)))
    predicted = model.predict(table)
    assert isinstance(predicted, pa.Table)
    np.testing.assert_allclose(predicted["predicted"].to_numpy(), by_hand(model, ROWS), rtol=1e-5)
    file = model.predict(PENGUINS)
    assert isinstance(file, pa.Table)
    assert (file.num_rows, file["predicted"].null_count) == (344, 2)


def test_what_cannot_be_predicted_is_one_line(model: linreg.FittedModel) -> None:
    with pytest.raises(linreg.DataError, match=r"X: has shape \(3, 2\), expected \(rows, 3\)"):
        model.predict(ROWS[:, :2])
    with pytest.raises(linreg.DataError, match="DataFrame: has no column 'bill_depth_mm'"):
        model.predict(pandas.DataFrame({"bill_length_mm": [1.0]}))
    with pytest.raises(linreg.DataError, match="X: row 2 gives inf"):
        model.predict(np.where(ROWS == 46.5, 1e39, ROWS))


def test_a_saved_model_is_loaded_as_it_was(model: linreg.FittedModel, tmp_path: Path) -> None:
    bundle = model.save(tmp_path / "penguins")
    assert repr(bundle) == f"Bundle({str(tmp_path / 'penguins')!r})"
    again = linreg.load(bundle)
    assert again.card == model.card
    assert again.coefficients == model.coefficients
    assert str(again.summary()) == str(model.summary())
    assert again.files == model.files
    assert again.checkpoint.state_sha256 == model.checkpoint.state_sha256
    np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))


def test_saving_keeps_what_belongs_to_somebody_else(model: linreg.FittedModel, tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"mine")
    with pytest.raises(linreg.LinregError, match="use force=True"):
        model.save(tmp_path)
    assert contents(tmp_path) == {"model.pth": b"mine"}
    model.save(tmp_path, force=True)
    assert linreg.load(tmp_path).coefficients == model.coefficients


def test_a_bare_state_dict_says_what_is_unknown(tmp_path: Path) -> None:
    torch.save({"weight": torch.tensor([[2.0, 3.0]]), "bias": torch.tensor([1.0])}, tmp_path / "w.pth")
    model = linreg.load(tmp_path / "w.pth")
    assert repr(model) == "FittedModel(2 features, no card)"
    assert model.predict(np.array([[1.0, 1.0]])).tolist() == [6.0]
    assert [(entry.name, entry.value) for entry in model.coefficients] == [("x0", 2), ("x1", 3), ("(bias)", 1)]
    assert "Unknown, for lack of a card.json" in str(model.summary())
    assert "std. error" not in str(model.summary())
    for use in (lambda: model.predict(pandas.DataFrame({"x0": [1]})), model.plot_loss_curves, model.plot_predictions):
        with pytest.raises(linreg.ModelError, match=r"no card\.json"):
            use()
    again = linreg.load(model.save(tmp_path / "b"))
    assert again.predict(np.array([[1.0, 1.0]])).tolist() == [6.0]


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(linreg.ModelError, match="no such file"):
        linreg.load(tmp_path / "nothing")


def test_plots_draw_into_the_axes_given(model: linreg.FittedModel) -> None:
    axes = Figure().add_subplot()
    assert model.plot_predictions(ax=axes) is axes
    assert any("test" in text.get_text() for text in axes.get_legend().get_texts())  # type: ignore[union-attr]
    assert isinstance(model.plot_residuals(), Axes)
    with pytest.raises(linreg.LinregError, match="no loss curves"):
        model.plot_loss_curves()


def test_plots_of_a_line_need_no_data_after_loading(tmp_path: Path) -> None:
    line = linreg.fit(linreg.straight_line(), epochs=30, device="cpu")
    again = linreg.load(line.save(tmp_path / "line"))
    assert isinstance(again.plot_predictions(), Axes)
    assert isinstance(again.plot_loss_curves(), Axes)


def test_plots_of_a_table_need_it_after_loading(model: linreg.FittedModel, tmp_path: Path) -> None:
    again = linreg.load(model.save(tmp_path / "b"))
    with pytest.raises(linreg.LinregError, match="give the table"):
        again.plot_residuals()
    axes = again.plot_predictions(PENGUINS)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert any(label.startswith("train (") for label in labels), "the rows it was fitted to are cut as then"
    other = again.plot_predictions(pandas.read_csv(PENGUINS).head(20))
    assert any(text.get_text().startswith("rows (") for text in other.get_legend().get_texts())  # type: ignore[union-attr]


def test_a_table_in_memory_is_known_again(tmp_path: Path) -> None:
    frame = pandas.read_csv(PENGUINS)
    again = linreg.load(linreg.fit(frame, target="body_mass_g", features=FEATURES).save(tmp_path / "b"))
    labels = [text.get_text() for text in again.plot_residuals(frame).get_legend().get_texts()]  # type: ignore[union-attr]
    assert [label.partition(" ")[0] for label in labels] == ["train", "test"]


def test_reprs_are_short(model: linreg.FittedModel) -> None:
    assert (
        repr(model) == f"FittedModel('body_mass_g' from 3 features, exact, test R2 {model.metrics['test']['r2']:.4f})"
    )
    assert len(repr(linreg.straight_line())) < 80
