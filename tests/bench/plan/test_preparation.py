"""Before anything is timed: whose artifacts are run, which rows stand aside with the reason, and what is refused."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import bench.plan.preparation
from bench.plan.expected import read_expected
from bench.plan.preparation import Prepared, keep_states, prepare_answers, unavailable
from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Origin, Variant, cpu_variants, cuda_variants
from bench.worker.measurement import measure
from bench.worker.messages import Job
from export.runners.ledger import is_ours
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError, ModelError
from tests import bench_rows
from tests.conftest import TESTS, contents
from tests.nets import INPUTS, Branches, TwoTowers

NETS = TESTS / "nets.py"
PROGRAMS = ["model.torchscript", "model.traced.torchscript", "model.pt2"]
ARTIFACTS = [*PROGRAMS, "model.onnx"]


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def work(tmp_path):
    """The work folder."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture(scope="module")
def source(penguins):
    return from_checkpoint(load(penguins))


def prepare(source, bundle, folder, variants=None, **more) -> Prepared:
    return bench_rows.prepare(variants or cpu_variants(), source, bundle, folder, **more)


def origins(prepared: Prepared) -> dict[str, Origin | None]:
    return {row.name: row.origin for row in prepared.variants}


def test_our_own_artifacts_are_taken_as_they_are(source, penguins, work):
    prepared = prepare(source, penguins, work)
    assert prepared.skipped == ()
    assert contents(work) == {name: (penguins / name).read_bytes() for name in ARTIFACTS}
    for row in prepared.variants:
        assert row.origin is (Origin.BUNDLE if row.file else None), row.name


def test_the_reference_is_first_the_null_row_second_and_every_other_there(source, penguins, work):
    for name in (REFERENCE, "onnxruntime-run"):
        first, null, *others = prepare(source, penguins, work, reference=name).variants
        assert (first.name, null.name) == (name, NULL)
        assert (null.kind, null.mode, null.file) == (first.kind, first.mode, first.file)
        assert [row.name for row in others] == [row.name for row in cpu_variants() if row.name != name]


def test_a_program_of_somebody_else_is_not_loaded_but_made_anew(source, bundle, work, monkeypatch, tmp_path):
    for name in PROGRAMS:
        (bundle / name).write_bytes(b"would run anything")
    (bundle / "manifest.json").unlink()
    before = contents(bundle)
    prepared = prepare(source, bundle, work)
    assert prepared.skipped == ()
    for name in PROGRAMS:
        assert (work / name).read_bytes() != b"would run anything", name
    assert contents(bundle) == before
    found = origins(prepared)
    assert {found[name] for name in ("torchscript", "torchscript-frozen", "torchscript-trace", "pt2")} == {
        Origin.REBUILT
    }
    assert found["onnxruntime-run"] is Origin.BUNDLE


def test_a_program_of_somebody_else_is_taken_where_it_is_trusted(source, bundle, work):
    for name in PROGRAMS:
        (bundle / name).write_bytes(b"runs anything")
    (bundle / "manifest.json").unlink()
    prepared = prepare(source, bundle, work, trust=True)
    assert {origin for origin in origins(prepared).values() if origin} == {Origin.BUNDLE}
    assert {(work / name).read_bytes() for name in PROGRAMS} == {b"runs anything"}


def test_what_a_ledger_elsewhere_says_counts_for_nothing(source, penguins, work, monkeypatch, tmp_path):
    """The very bytes that this user made are somebody else's where the ledger does not list them."""
    marked = penguins / "model.torchscript"
    assert is_ours(marked.read_bytes())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    built = []

    real = bench.plan.preparation.build_files
    monkeypatch.setattr(
        bench.plan.preparation, "build_files", lambda source, kind: built.append(str(kind)) or real(source, kind)
    )
    prepare(source, penguins, work)
    assert built == ["torchscript", "torchscript-trace", "pt2"], "each once, and the .onnx, which is data, is taken"


def test_a_bundle_without_artifacts_is_timed_with_the_same_bytes(source, bundle, work):
    kept = {name: (bundle / name).read_bytes() for name in ARTIFACTS}
    for name in ARTIFACTS:
        (bundle / name).unlink()
    assert prepare(source, bundle, work).skipped == ()
    found = contents(work)
    assert {name: found[name] == kept[name] for name in kept} == dict.fromkeys(kept, True)
    assert not any((bundle / name).exists() for name in ARTIFACTS)


def test_what_is_in_the_work_folder_already_stays(source, penguins, work):
    (work / "model.onnx").write_bytes(b"provided")
    prepared = prepare(source, penguins, work, provided=["model.onnx"])
    assert (work / "model.onnx").read_bytes() == b"provided"
    assert origins(prepared)["onnxruntime-run"] is Origin.BUNDLE


def test_an_onnx_file_of_other_weights_is_taken_and_struck_out(source, bundle, work):
    model = onnx.load(bundle / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.001), tensor.name))
    onnx.save(model, bundle / "model.onnx")
    (bundle / "manifest.json").unlink()
    subjects = {"model": Subject(path=str(bundle))}
    prepare_answers(work, subjects, (7,))
    prepared = prepare(source, bundle, work)
    assert prepared.skipped == ()
    assert (work / "model.onnx").read_bytes() == (bundle / "model.onnx").read_bytes()
    job = Job(variants=prepared.variants, subjects=subjects, folder=work, batches=(7,), rounds=10, seed=1)
    rows = measure(job).rows[1, 7]
    assert {name for name, row in rows.items() if row.problem} == {"onnxruntime-run", "onnxruntime-io_binding"}
    assert "differs from the state_dict" in rows["onnxruntime-run"].problem


def test_a_module_that_a_format_cannot_hold_has_rows_with_the_reason(work, monkeypatch):
    tried = []
    real = bench.plan.preparation.build_files
    monkeypatch.setattr(
        bench.plan.preparation, "build_files", lambda source, kind: tried.append(str(kind)) or real(source, kind)
    )
    subjects = {"model": Subject(module=f"{NETS}:make_branches", inputs=tuple(INPUTS[Branches]))}
    source = prepare_answers(work, subjects, (7,))["model"]
    prepared = prepare(source, None, work)
    skipped = {row.name: row.skipped for row in prepared.skipped}
    assert list(skipped) == ["torchscript-trace", "pt2", "onnxruntime-run", "onnxruntime-io_binding"]
    assert tried == ["torchscript", "torchscript-trace", "pt2", "onnx"], "each once, though two rows want the .onnx"
    assert "GuardOnDataDependent" in skipped["pt2"]
    assert skipped["onnxruntime-run"] == skipped["onnxruntime-io_binding"]
    assert all("\n" not in why for why in skipped.values())
    assert [row.name for row in prepared.variants][2:] == [
        row.name for row in cpu_variants() if row.name not in (*skipped, REFERENCE)
    ]
    with pytest.raises(LinregError, match=r"--reference pt2: .*GuardOnDataDependent.*; expected one of eager-"):
        prepare(source, None, work, reference="pt2")


def test_an_unknown_reference_is_answered_with_the_rows(source, penguins, work):
    with pytest.raises(LinregError) as caught:
        prepare(source, penguins, work, reference="eager")
    names = ", ".join(row.name for row in cpu_variants() if row.name != FLOOR)
    assert str(caught.value) == f"--reference eager: is not a row; expected one of {names}"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_every_row_is_skipped_with_the_reason(source, penguins, work):
    prepared = prepare(source, penguins, work, cuda_variants(), device=Device.CUDA)
    assert prepared.variants == ()
    assert [row.name for row in prepared.skipped] == [row.name for row in cuda_variants()]
    assert {row.skipped for row in prepared.skipped} == {f"torch {torch.__version__} sees no CUDA device"}
    assert contents(work) == {}, "nothing is made for rows that do not run"


def test_a_reference_that_cuda_does_not_have_is_told_before_the_work(source, penguins, work, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(LinregError, match=r"--reference onnxruntime-run: is not a row; .*, or --device cpu$"):
        prepare(source, penguins, work, cuda_variants(), device=Device.CUDA, reference="onnxruntime-run")


def test_without_onnxruntimes_cuda_provider_its_row_is_skipped_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    why = {row.name: unavailable(row, Device.CUDA) for row in cuda_variants()}
    assert {name for name, text in why.items() if text} == {"onnxruntime-io_binding"}
    assert why["onnxruntime-io_binding"] == "onnxruntime has no CUDA provider; install onnxruntime-gpu"
    assert not any(unavailable(row, Device.CPU) for row in cpu_variants())


def test_a_file_that_is_no_artifact_is_refused(source, penguins, work):
    rows = [*cpu_variants(), Variant(name="mine", kind=Kind.ONNXRUNTIME_RUN, file="model.float64.onnx")]
    with pytest.raises(
        ModelError, match=r"model\.float64\.onnx: is not an artifact that can be timed; expected one of"
    ):
        prepare(source, penguins, work, rows)


def test_a_factory_that_is_not_there_is_refused_before_the_work(source, penguins, work):
    rows = [*cpu_variants(), Variant(name="mine", kind=Kind.FACTORY, file="missing.py:row")]
    with pytest.raises(LinregError, match=r"expected FILE\.py:NAME of an existing file"):
        prepare(source, penguins, work, rows)


def test_a_floor_alone_is_no_comparison(source, penguins, work):
    with pytest.raises(LinregError, match=r"is not a row; expected one of $"):
        prepare(source, penguins, work, [Variant(name=FLOOR, kind=Kind.FLOOR)])


def test_the_answers_of_every_subject_are_written(penguins, work):
    subjects = {
        "model": Subject(path=str(penguins)),
        "against": Subject(module=f"{NETS}:make_two_towers", inputs=tuple(INPUTS[TwoTowers])),
    }
    sources = prepare_answers(work, subjects, (1, 7))
    assert list(sources) == ["model", "against"]
    for name, source in sources.items():
        found = read_expected(work / f"{name}.npz")
        assert list(found) == [1, 7]
        assert found[7].output_names == source.output_names
    assert found[7].output_names == ("sum", "score")


def test_a_module_that_is_random_is_the_same_each_time(work, tmp_path):
    path = tmp_path / "random_module.py"
    path.write_text("from torch import nn\n\n\ndef make():\n    return nn.Linear(4, 2)\n")
    subjects = {"model": Subject(module=f"{path}:make", inputs=("x=float32[batch,4]",))}
    sources = prepare_answers(work, subjects, (7,))
    kept = keep_states(work, subjects, sources)["model"]
    made = [kept.module_itself() for _ in range(2)]
    assert made[0] is not made[1]
    for module in made:
        assert torch.equal(module.weight, sources["model"].module.weight)
    assert not torch.equal(subjects["model"].module_itself().weight, made[0].weight)


def test_subjects_that_have_a_state_keep_it(penguins, work):
    ours = {"model": Subject(path=str(penguins)), "own": Subject(module=f"{NETS}:make_mlp", path="net.pth")}
    assert keep_states(work, ours, {}) == ours
    assert contents(work) == {}


def test_a_row_that_answers_nothing_is_no_reference(source, penguins, work):
    with pytest.raises(LinregError, match=r"^--reference floor: is not a row; expected one of eager-inference_mode, "):
        prepare(source, penguins, work, reference=FLOOR)
