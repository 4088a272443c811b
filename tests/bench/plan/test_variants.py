"""The rows of a report: what they are called, what they answer, and that another process hears the same."""

import json
from dataclasses import asdict

import pytest
from msgspec import convert

from bench.plan.variants import (
    AGAINST,
    FLOOR,
    NEEDS_TORCH,
    NULL,
    REFERENCE,
    WITHOUT_OUTPUTS,
    Kind,
    Variant,
    against_variants,
    cpu_variants,
    cuda_variants,
)
from export.formats.names import RUNTIME_FORMATS, Format, format_of
from export.runners.base import CallMode

SETS = {
    "cpu": cpu_variants(),
    "cpu-compiled": cpu_variants(compiled=True),
    "cuda": cuda_variants(),
    "cuda-compiled": cuda_variants(compiled=True),
    **{f"against-{kind}": against_variants(kind) for kind in RUNTIME_FORMATS},
}
NAMES = [
    "eager-inference_mode",
    "eager-no_grad",
    "eager-grad",
    "eager-inference_mode-per-call",
    "eager-no_grad-per-call",
    "torchscript",
    "torchscript-frozen",
    "torchscript-trace",
    "pt2",
    "onnxruntime-run",
    "onnxruntime-io_binding",
    "floor",
]

every_set = pytest.mark.parametrize("variants", SETS.values(), ids=SETS)


def test_the_rows_of_the_cpu():
    assert [variant.name for variant in cpu_variants()] == NAMES
    assert {variant.name for variant in cpu_variants(compiled=True)} - set(NAMES) == {"compile"}


def test_the_rows_of_cuda():
    cuda, cpu = ({variant.name for variant in variants} for variants in (cuda_variants(), cpu_variants()))
    assert cuda - cpu == {"cuda-graph", "copy-to-device", "copy-from-device"}
    assert cpu - cuda == {"pt2", "onnxruntime-run"}
    assert {variant.name for variant in cuda_variants(compiled=True)} - cuda == {"compile"}


@every_set
def test_names_are_unique_and_the_null_row_is_made_later(variants):
    names = [variant.name for variant in variants]
    assert len(set(names)) == len(names)
    assert NULL not in names
    assert names[-1] == FLOOR
    assert names[0] in (REFERENCE, AGAINST)


@every_set
def test_a_row_reaches_another_process_as_it_is(variants):
    for variant in variants:
        assert convert(json.loads(json.dumps(asdict(variant))), Variant) == variant


def test_every_field_reaches_another_process():
    variant = Variant(
        name="mine", kind=Kind.FACTORY, mode=CallMode.GRAD, file="rows.py:make", subject="other", skipped="no time"
    )
    assert convert(json.loads(json.dumps(asdict(variant))), Variant) == variant


@every_set
def test_a_row_has_a_file_if_and_only_if_it_is_an_artifact(variants):
    loaded = {
        Kind.TORCHSCRIPT,
        Kind.TORCHSCRIPT_FROZEN,
        Kind.PT2,
        Kind.ONNXRUNTIME_RUN,
        Kind.ONNXRUNTIME_IO_BINDING,
    }
    for variant in variants:
        assert bool(variant.file) == (variant.kind in loaded), variant
        if variant.file:
            assert format_of(variant.file.removeprefix(f"{AGAINST}-")) is not None, variant


def test_an_eager_row_is_called_after_its_mode():
    eager = {variant.name: variant.mode for variant in cpu_variants() if variant.kind is Kind.EAGER}
    assert eager == {f"eager-{mode}": mode for mode in CallMode}


@pytest.mark.parametrize("kind", RUNTIME_FORMATS, ids=str)
def test_two_artifacts_of_one_format(kind):
    other, this, floor = against_variants(kind)
    assert (other.name, this.name, floor.name) == (AGAINST, "this", FLOOR)
    assert (other.subject, this.subject) == (AGAINST, "model")
    assert other.kind is this.kind
    assert other.file == f"{AGAINST}-{this.file}"
    assert format_of(this.file) == (kind, None)
    expected = {Format.ONNX: Kind.ONNXRUNTIME_RUN, Format.PT2: Kind.PT2}.get(kind, Kind.TORCHSCRIPT)
    assert this.kind is expected


def test_what_answers_nothing_is_the_floor_and_the_copies():
    rows = {variant.name for variant in [*cpu_variants(), *cuda_variants()] if variant.kind in WITHOUT_OUTPUTS}
    assert rows == {"floor", "copy-to-device", "copy-from-device"}


def test_onnxruntime_and_the_floor_start_without_torch():
    rows = {variant.name for variant in [*cpu_variants(), *cuda_variants()] if variant.kind not in NEEDS_TORCH}
    assert rows == {"floor", "onnxruntime-run", "onnxruntime-io_binding"}
