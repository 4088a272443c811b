"""Every published figure of the course, compared with tolerance 0 on the CPU."""

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from linreg import descent, training
from linreg.config import LINE_DEFAULTS, Architecture, DeviceChoice, LineSettings, Loss, Method, TrainSettings
from linreg.data import Dataset, Part, Parts, split, straight_line
from linreg.models import make_model
from linreg.split_text import parse_split
from tests.conftest import TESTS
from tests.module_predictions import predict

COURSE: dict[str, Any] = json.loads((TESTS / "data" / "course.json").read_text())
V1: dict[str, Any] = COURSE["v1_parameter"]
V2: dict[str, Any] = COURSE["v2_linear"]
EXERCISE: dict[str, Any] = COURSE["exercise"]


def line_settings(data: dict[str, Any]) -> LineSettings:
    return LineSettings(
        weight=data["weight"], bias=data["bias"], start=data["start"], end=data["end"], step=data["step"]
    )


def cut(data: dict[str, Any]) -> tuple[Dataset, Parts]:
    dataset = straight_line(line_settings(data))
    return dataset, split(dataset, parse_split("0.8"), shuffle_seed=None)


def settings(architecture: Architecture, epochs: int, test_every: int) -> TrainSettings:
    """The recipe of the course, spelt out rather than taken from the defaults."""
    return TrainSettings(
        architecture=architecture,
        method=Method.SGD,
        loss=Loss.L1,
        lr=0.01,
        epochs=epochs,
        test_every=test_every,
        seed=42,
        device=DeviceChoice.CPU,
    )


@cache
def fitted(exercise: bool, architecture: Architecture, epochs: int, test_every: int) -> training.Fit:
    dataset, parts = cut(EXERCISE["data"] if exercise else COURSE["data"])
    return training.fit(dataset, parts, settings(architecture, epochs, test_every))


V1_100 = (False, Architecture.PARAMETER, 100, 10)
V1_200 = (False, Architecture.PARAMETER, 200, 10)
V2_1000 = (False, Architecture.LINEAR, 1000, 100)
EXERCISE_300 = (True, Architecture.PARAMETER, 300, 20)
EXERCISE_LINEAR = (True, Architecture.LINEAR, 300, 20)

RUNS = [
    pytest.param(V1_100, V1["epochs_100"], id="v1-100"),
    pytest.param(V1_200, V1["epochs_200"], id="v1-200"),
    pytest.param(V2_1000, V2["epochs_1000"], id="v2-1000"),
    pytest.param(EXERCISE_300, EXERCISE, id="exercise"),
    pytest.param(EXERCISE_LINEAR, COURSE["exercise_with_nn_linear"], id="exercise-nn-linear"),
]


def parameters(model: nn.Module) -> list[float]:
    return [parameter.item() for parameter in model.parameters()]


def rows(fit: training.Fit, every: int) -> list[list[float | None]]:
    """The history as the course prints it: without the last epoch, which is not one of its rows."""
    return [[row.epoch, row.train_loss, row.test_loss] for row in fit.history if row.epoch % every == 0]


def test_every_figure_of_the_file_is_known_to_this_test() -> None:
    def leaves(value: object, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}/{key}")}
        return {path}

    run = {"learned", "test_predictions", "mae_of_saved_state"}
    line = {"weight", "bias", "start", "end", "step", "points", "split"}
    expected = {"/about", "/recipe", "/notes", "/tolerance/cpu_x86", "/tolerance/other"}
    expected |= {f"/data/{key}" for key in line | {"shuffled"}}
    expected |= {f"/v1_parameter/{key}" for key in ("state_keys", "init", "untrained_test_predictions")}
    expected |= {f"/v1_parameter/epochs_100/{key}" for key in run | {"printed_every_10"}}
    expected |= {f"/v1_parameter/epochs_200/{key}" for key in run | {"printed_every_10_from_100"}}
    expected |= {f"/v2_linear/{key}" for key in ("state_keys", "init")}
    expected |= {f"/v2_linear/epochs_1000/{key}" for key in run | {"printed_every_100_cpu"}}
    expected |= {f"/v2_linear/epochs_1000/published_cuda_rows/{key}" for key in ("100", "200..900")}
    expected |= {f"/exercise/data/{key}" for key in line}
    expected |= {f"/exercise/{key}" for key in ("model", "epochs", "test_every", "printed_every_20")}
    expected |= {f"/exercise/{key}" for key in ("learned", "test_predictions")}
    expected |= {"/exercise_with_nn_linear/learned"}
    assert leaves(COURSE) == expected


def test_the_defaults_are_the_recipe_of_the_course() -> None:
    assert line_settings(COURSE["data"]) == LineSettings()
    assert LINE_DEFAULTS.learning_rate == 0.01
    assert (LINE_DEFAULTS.method, LINE_DEFAULTS.loss, LINE_DEFAULTS.seed) == (Method.SGD, Loss.L1, 42)
    assert (LINE_DEFAULTS.batch_size, LINE_DEFAULTS.epochs) == (None, 1000)
    assert LINE_DEFAULTS.architecture is Architecture.LINEAR
    assert COURSE["tolerance"]["cpu_x86"] == 0.0


@pytest.mark.parametrize("data", [COURSE["data"], EXERCISE["data"]], ids=["line", "exercise"])
def test_data_and_its_split(data: dict[str, Any]) -> None:
    dataset, parts = cut(data)
    assert parts.test is not None
    assert parts.validation is None
    assert len(dataset.target) == data["points"]
    assert [len(parts.train.target), len(parts.test.target)] == data["split"]
    x = torch.arange(data["start"], data["end"], data["step"])
    y = data["weight"] * x + data["bias"]
    assert dataset.features[:, 0].tolist() == x.tolist()
    assert dataset.target.tolist() == y.tolist()
    assert np.concatenate([parts.train.features, parts.test.features]).tolist() == dataset.features.tolist()
    assert (dataset.line.weight, dataset.line.bias) == (data["weight"], data["bias"])
    assert COURSE["data"]["shuffled"] is False


@pytest.mark.parametrize(
    ("architecture", "published"), [(Architecture.PARAMETER, V1), (Architecture.LINEAR, V2)], ids=["v1", "v2"]
)
def test_untrained_model(architecture: Architecture, published: dict[str, Any]) -> None:
    torch.manual_seed(42)
    model = make_model(architecture, 1)
    assert list(model.state_dict()) == published["state_keys"]
    assert parameters(model) == published["init"]
    if "untrained_test_predictions" in published:
        assert predict(model, held_out(COURSE["data"]).features).tolist() == published["untrained_test_predictions"]


def held_out(data: dict[str, Any]) -> Part:
    part = cut(data)[1].test
    assert part is not None
    return part


@pytest.mark.parametrize(
    ("run", "published", "after"),
    [
        pytest.param(V1_100, V1["epochs_100"]["printed_every_10"], 0, id="v1-100"),
        pytest.param(V1_200, V1["epochs_100"]["printed_every_10"], 0, id="v1-200-begins-as-100"),
        pytest.param(V1_200, V1["epochs_200"]["printed_every_10_from_100"], 100, id="v1-200"),
        pytest.param(V2_1000, V2["epochs_1000"]["printed_every_100_cpu"], 0, id="v2-1000"),
        pytest.param(EXERCISE_300, EXERCISE["printed_every_20"], 0, id="exercise"),
    ],
)
def test_printed_rows(run: tuple[bool, Architecture, int, int], published: list[list[float]], after: int) -> None:
    printed = [[epoch - after, train, test] for epoch, train, test in rows(fitted(*run), run[3]) if epoch >= after]
    assert printed[: len(published)] == published
    if after or run != V1_200:
        assert len(printed) == len(published)


def test_the_exercise_is_trained_as_it_says() -> None:
    assert (EXERCISE["model"], EXERCISE["epochs"], EXERCISE["test_every"]) == ("v1_parameter", 300, 20)


def test_printed_rows_agree_with_those_published_from_cuda() -> None:
    published = V2["epochs_1000"]["published_cuda_rows"]
    allowed = COURSE["tolerance"]["other"]
    for row in fitted(*V2_1000).history:
        if row.epoch >= 100 and row.epoch % V2_1000[3] == 0:
            train, test = published["100"] if row.epoch == 100 else published["200..900"]
            assert row.test_loss is not None
            assert math.isclose(row.train_loss, train, rel_tol=0, abs_tol=allowed)
            assert math.isclose(row.test_loss, test, rel_tol=0, abs_tol=allowed)


@pytest.mark.parametrize(("run", "published"), RUNS)
def test_learned_parameters(run: tuple[bool, Architecture, int, int], published: dict[str, Any]) -> None:
    assert parameters(fitted(*run).model) == published["learned"]


@pytest.mark.parametrize(("run", "published"), RUNS[:4])
def test_predictions(run: tuple[bool, Architecture, int, int], published: dict[str, Any]) -> None:
    test = held_out(EXERCISE["data"] if run[0] else COURSE["data"])
    assert predict(fitted(*run).model, test.features).tolist() == published["test_predictions"]


@pytest.mark.parametrize(("run", "published"), RUNS[:3])
def test_mae_of_the_saved_state(run: tuple[bool, Architecture, int, int], published: dict[str, Any]) -> None:
    fit = fitted(*run)
    parts = cut(COURSE["data"])[1].items()
    maes = []
    for name, part in parts:
        prediction = torch.from_numpy(predict(fit.model, part.features))
        maes.append(nn.L1Loss()(prediction, torch.from_numpy(part.target).float()).item())
        # The metrics are the same figure in float64.
        assert fit.metrics[name].mae == pytest.approx(maes[-1], rel=1e-6)
        assert fit.metrics[name].rows == len(part.target)
    assert maes == published["mae_of_saved_state"]


@pytest.mark.parametrize(
    ("data", "architecture", "first"),
    [
        pytest.param(COURSE["data"], Architecture.PARAMETER, 168, id="v1"),
        pytest.param(COURSE["data"], Architecture.LINEAR, 115, id="v2"),
        pytest.param(EXERCISE["data"], Architecture.PARAMETER, 229, id="exercise"),
    ],
)
def test_notes_two_parameter_pairs_alternate_for_ever(
    data: dict[str, Any], architecture: Architecture, first: int
) -> None:
    assert "(from epoch 168), V2 (115) and the exercise (229) alternate between two" in COURSE["notes"][0]
    states = stepped(data, architecture, first + 40, torch.float32)
    assert states[first - 1] != states[first + 1]
    assert set(states[first::2]) == {states[first]}
    assert set(states[first + 1 :: 2]) == {states[first + 1]}
    assert states[first] != states[first + 1]


def test_notes_float32_is_required() -> None:
    assert "(0.697679 / 0.308008)" in COURSE["notes"][3]
    weight, bias = stepped(COURSE["data"], Architecture.LINEAR, 1000, torch.float64)[-1]
    assert (round(weight, 6), round(bias, 6)) == (0.697679, 0.308008)


def stepped(
    data: dict[str, Any], architecture: Architecture, epochs: int, dtype: torch.dtype
) -> list[tuple[float, ...]]:
    """The parameters after each epoch, from the float32 initial values."""
    train = cut(data)[1].train
    torch.manual_seed(42)
    model = make_model(architecture, 1).to(dtype)
    x, y = torch.from_numpy(train.features).to(dtype), torch.from_numpy(train.target[:, None]).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    states = []
    for _ in range(epochs):
        descent.train_epoch(model, iter([(x, y)]), nn.L1Loss(), optimizer)
        states.append(tuple(parameters(model)))
    return states


def test_notes_the_saved_v2_model_is_better_than_its_last_printed_row() -> None:
    assert "0.000330824, not the printed 0.0138" in COURSE["notes"][1]
    fit = fitted(*V2_1000)
    last = fit.history[-2].test_loss
    assert last is not None
    assert f"{fit.metrics['test'].mae:.6g}" == "0.000330824"
    assert round(last, 4) == 0.0138
    assert fit.history[-1].test_loss == pytest.approx(fit.metrics["test"].mae, rel=1e-6)


def test_the_seed_before_the_loop_has_no_effect() -> None:
    dataset, parts = cut(COURSE["data"])
    torch.manual_seed(7)
    fit = training.fit(dataset, parts, settings(*V1_100[1:]))
    assert parameters(fit.model) == V1["epochs_100"]["learned"]
