"""SQL files: proved before they are kept, every number compared, refused where databases would differ."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import export.bundle.build
import export.formats.sql_columns
import export.formats.sql_steps
from export.bundle.build import ExportOptions
from export.formats.names import Format
from export.formats.sql import to_sql
from export.formats.sql_functions import literal
from export.formats.sql_text import read_sql
from export.inspection.inspect import inspect_file
from export.proof.verify import verify
from export.runners.ledger import is_ours
from export.runners.sqlite import sql_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import ExportError, LinregError, MismatchError, ModelError
from tests.artifacts import write_alone
from tests.conftest import ROOT
from tests.feed_forward_networks import NETWORKS, exported, source_of

MLP = to_sql(exported("mlp")[0]).decode()


def committed(name):
    return from_checkpoint(load(ROOT / "artifacts" / "reference" / name))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_proved_and_every_weight_is_found(name, tmp_path):
    artifact = write_alone(exported(name)[0], Format.SQL, tmp_path, options=ExportOptions(budget_s=1.0))
    assert artifact.verification.worst_error < 1
    assert artifact.verification.weights.found >= 6
    assert artifact.verification.weights.constants == ()
    assert artifact.details["run_with"].startswith("SQLite 3.")
    assert is_ours(artifact.path.read_bytes())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("features", "outputs"), [(1, 1), (13, 4)])
def test_affine_modules_are_proved(features, outputs, bias, dtype, tmp_path):
    torch.manual_seed(features)
    source = source_of(nn.Linear(features, outputs, bias=bias), f"x={dtype}[batch,{features}]")
    artifact = write_alone(source, Format.SQL, tmp_path)
    assert artifact.verification.parameters_kept == 1 + bias
    assert artifact.verification.worst_error < 1


def test_float64_networks_are_proved(tmp_path):
    layers = [nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 4), nn.SiLU(), nn.Softplus(), nn.Softmax(-1), nn.Linear(4, 2)]
    source = source_of(nn.Sequential(*layers), "x=float64[batch,3]")
    assert write_alone(source, Format.SQL, tmp_path).verification.worst_error < 1


def check_outputs(module, features):
    source = source_of(module, f"x=float32[batch,{features}]")
    (rows,) = source.random_inputs({"batch": 3}, 1.0, 1)
    (found,) = sql_runner("model.sql", to_sql(source)).bind((rows,)).outputs()
    with torch.inference_mode():
        np.testing.assert_allclose(found, source.module(torch.from_numpy(rows)).numpy(), rtol=1e-4, atol=1e-5)


def test_a_sum_may_be_longer_than_sqlite_nests():
    check_outputs(nn.Linear(1400, 1), 1400)
    check_outputs(nn.Sequential(nn.Linear(1400, 1), nn.Tanh()), 1400)


def test_as_many_layers_as_allowed_are_nested():
    check_outputs(nn.Sequential(*(layer for _ in range(25) for layer in (nn.Linear(2, 2), nn.GELU()))), 2)


FAULTS = {
    "a hidden value": (r"ELSE s\.v\d+ END", "ELSE 0e0 END"),
    "a row left out": (r"AS given\nWHERE", "AS given\nWHERE rowid > 1 AND"),
    "rows in another order": (r" LIMIT 0\)\n$", " LIMIT 0) ORDER BY 1\n"),
    "NULL": (r"\n    AS", " * NULL\n    AS"),
    "a text": (r"\n    AS", " || 'x'\n    AS"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_query_with_the_right_numbers_is_not_kept(fault, tmp_path, monkeypatch):
    planted, count = re.subn(*FAULTS[fault], MLP, count=1)
    assert count == 1
    monkeypatch.setattr(export.bundle.build, "build", lambda *_args, **_options: planted.encode())
    with pytest.raises(MismatchError, match=r"model\.sql: "):
        write_alone(exported("mlp")[0], Format.SQL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.sql.failed-inputs.npz"]


@pytest.mark.parametrize("name", [*NETWORKS, "line", "penguins"])
def test_the_last_bit_of_any_number_is_seen(name):
    source = exported(name)[0] if name in NETWORKS else committed(name)
    text = to_sql(source).decode()
    numbers = re.findall(r"-?[\d.]+e-?\d+(?=/\*\d)" if name in NETWORKS else r"-?[\d.]+e-?\d+(?=\)?\n)", text)
    for number in {numbers[0], numbers[-1]}:
        bits = np.float32(float(number)).view(np.uint32) ^ np.uint32(1)
        damaged = text.replace(number, literal(float(bits.view(np.float32))))
        with pytest.raises(MismatchError, match="differs from the state_dict"):
            verify(sql_runner("model.sql", damaged.encode()), source, budget_s=0)


def test_a_number_is_the_same_wherever_it_stands():
    text = to_sql(exported("sensor")[0]).decode()
    number = re.search(r"-?[\d.]+e-?\d+(?=/\*0\.0\*/)", text)
    assert number is not None
    with pytest.raises(ModelError, match=r"number 0\.0 has two values"):
        read_sql("model.sql", text.replace(f"{number[0]}/*0.0*/", "1.0e0/*0.0*/", 1).encode())
    without = re.sub(r"/\*0\.0\*/", "", text)
    with pytest.raises(ModelError, match="has 23 numbers, expected those of"):
        read_sql("model.sql", without.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM linreg_input",
        "ATTACH 'elsewhere.db' AS other",
        "PRAGMA temp_store = 1",
        "SELECT load_extension('x')",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT randomblob(10)",
        "SELECT 1; SELECT 2",
    ],
)
def test_nothing_but_reading_and_computing_is_run(statement, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    comment, end, _ = MLP.rpartition("*/\nSELECT")
    text = read_sql("model.sql", MLP.encode())
    monkeypatch.setattr("export.runners.sqlite.read_sql", lambda *_: replace(text, query=f"{comment}*/\n{statement}"))
    with pytest.raises(ModelError, match=r"model\.sql: SQLite rejects it"):
        sql_runner("model.sql", b"")
    assert end
    assert not list(tmp_path.iterdir())


def test_a_foreign_file_is_not_run(linreg, tmp_path, monkeypatch):
    from linreg import export as export_module

    bundle = Path(export_module(nn.Linear(3, 2), "net", inputs="x=float32[batch,3]", formats=["onnx", "sql"]))
    assert linreg("verify", bundle).code == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of another user"))
    ended = linreg("verify", bundle)
    assert ended.code == 1
    assert "model.sql: not run" in ended.err
    assert linreg("verify", bundle, "--trust").code == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "A", "b"], "columns 'a' and 'A' have one name in SQLite"),
        (["a", "b", "predicted_Y"], "got two columns named 'predicted_Y'; rename one"),
        (["a", "b", "predicted_y"], "columns 'predicted_y' and 'predicted_Y' have one name"),
        (
            ["x" * 62 + "\u00e9", "b", "x" * 62 + "\u0101"],
            "have one name in PostgreSQL, which cuts names to 63 bytes",
        ),
        (["a", "", "b"], "a column named ''"),
        (["a\0", "b", "c"], r"a column named 'a\\x00'"),
        (["a", "RowID", "c"], "named 'RowID', which is the number of the row in SQLite or DuckDB; rename it"),
        (["a", "oid", "c"], "named 'oid', which is the number of the row"),
        (["a", "_rowid_", "c"], "named '_rowid_', which is the number of the row"),
        (["xmax", "b", "c"], "named 'xmax', which cannot be a column in PostgreSQL; rename it"),
        (["\ud800", "b", "c"], r"a column named '\\ud800'"),
    ],
)
def test_names_that_databases_do_not_take_are_refused(names, message):
    source = source_of(nn.Linear(3, 1), "x=float32[batch,3]")
    with pytest.raises(ExportError, match=message):
        to_sql(replace(source, metadata=source.metadata | {"features": names, "target": "Y"}))


class Computed(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(2, 2), function

    def forward(self, x):
        return self.function(self.layer(x))


@pytest.mark.parametrize(
    ("function", "named"),
    [(torch.log, "log"), (torch.sqrt, "square root"), (lambda y: 1 / y, "reciprocal"), (lambda y: y**0.3, "power")],
)
def test_functions_that_databases_compute_differently_are_refused(function, named):
    with pytest.raises(ExportError, match=f"sql: the network computes {named} of a computed value"):
        to_sql(source_of(Computed(function), "x=float32[batch,2]"))


@pytest.mark.parametrize(
    "function",
    [
        lambda y: y**2 + y**3,
        lambda y: torch.where(y > 0.1, y, -2 * y) + torch.where(y < 0.1, y, y.abs()),
        lambda y: torch.clamp(y, -0.25, 0.375) + torch.clamp(y, max=0.125) + torch.clamp(y, min=0.0625),
        lambda y: torch.maximum(y, y * y) + torch.minimum(y, y * y) + torch.exp(y) / 4,
        torch.erf,
    ],
)
def test_other_functions_are_proved(function, tmp_path):
    artifact = write_alone(source_of(Computed(function), "x=float64[batch,2]"), Format.SQL, tmp_path)
    assert artifact.verification.worst_error < 1


def test_limits_are_said():
    with pytest.raises(ExportError, match="has 10200 weights, expected 10000 at most; use onnx"):
        to_sql(
            source_of(
                nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1, bias=False)), "x=float32[batch,100]"
            )
        )
    with pytest.raises(ExportError, match="more than 10000 terms"):
        to_sql(source_of(nn.Sequential(nn.Linear(8, 60), nn.Tanh(), nn.Linear(60, 60)), "x=float32[batch,8]"))
    with pytest.raises(ExportError, match="a row has 1501 columns, expected 1500 at most"):
        to_sql(source_of(nn.Linear(1500, 1), "x=float32[batch,1500]"))
    deep = nn.Sequential(*(layer for _ in range(26) for layer in (nn.Linear(2, 2), nn.Tanh())))
    with pytest.raises(ExportError, match="has 52 steps, expected 50 at most"):
        to_sql(source_of(deep, "x=float32[batch,2]"))
    with pytest.raises(ExportError, match="leave out --static"):
        to_sql(source_of(nn.Linear(2, 1), "x=float32[batch,2]", static=True))


def test_a_weight_that_no_term_uses_is_refused():
    with pytest.raises(ExportError, match="no term uses all of"):
        to_sql(source_of(nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.Tanh()), "x=float32[batch,1,1]"))


def test_inspect_names_table_and_columns(tmp_path):
    (tmp_path / "model.sql").write_bytes(to_sql(committed("penguins")))
    found = inspect_file(tmp_path / "model.sql")
    assert found.kind == "sql"
    assert found.facts == {
        "table": "linreg_input",
        "reads": "bill_length_mm, bill_depth_mm, flipper_length_mm",
        "adds": "predicted_body_mass_g",
    }


def test_sqlite_without_mathematical_functions_is_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("export.runners.sqlite.FUNCTIONS", frozenset())
        with pytest.raises(LinregError, match="rejects it: not authorized to use function"):
            sql_runner("model.sql", MLP.encode())
    text = read_sql("model.sql", MLP.encode())
    query = text.query.replace("EXP(", "NO_SUCH_EXP(")
    monkeypatch.setattr("export.runners.sqlite.read_sql", lambda *_: replace(text, query=query))
    with pytest.raises(LinregError, match="was built without mathematical functions"):
        sql_runner("model.sql", b"")


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_damaged_text_is_an_error_of_one_line(data):
    text = bytearray(MLP.encode())
    head = text.index(b"SELECT") + 2000
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, head))] = data.draw(st.integers(0, 255))
    try:
        read_sql("model.sql", bytes(text[: data.draw(st.integers(0, len(text)))]))
    except ModelError as error:
        assert "\n" not in str(error)
