"""A job reaches the process that does it through a file, as it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, Kind, Variant, cpu_variants, cuda_variants
from bench.worker.job import Device, Job, job_from_json, job_to_json
from export.runners.base import CallMode
from linreg.files import read_json, write_json

REFERENCE = Variant(name="eager", kind=Kind.EAGER, mode=CallMode.NO_GRAD_PER_CALL)


def made(**changes) -> Job:
    values = {
        "variants": (
            REFERENCE,
            replace(REFERENCE, name=NULL),
            Variant(name="体 [/]\n", kind=Kind.FACTORY, file="a b/nets.py:make", subject="other"),
            Variant(name=FLOOR, kind=Kind.FLOOR),
        ),
        "subjects": {
            "model": Subject(path="artifacts/my model"),
            "other": Subject(path="", module="nets.py:make_net", inputs=("x=float32[batch,16]", "y=int64[batch]")),
        },
        "folder": Path("work") / "a folder ü",
        "device": Device.CUDA,
        "batches": (1, 64, 4096),
        "threads": (1, 2),
        "rounds": 100,
        "seed": 2**40 + 7,
        "fresh": "eager",
        "single_calls": 700,
        **changes,
    }
    return Job(**values)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"device": Device.CPU, "threads": (1,), "fresh": "", "single_calls": 0},
        {"variants": tuple(cpu_variants(compiled=True))},
        {"variants": tuple(cuda_variants(compiled=True))},
        {"variants": (replace(REFERENCE, skipped="torch sees no CUDA device"),) * 2, "subjects": {"model": Subject()}},
    ],
    ids=["full", "small", "cpu", "cuda", "skipped"],
)
def test_a_job_goes_through_a_file_unchanged(tmp_path, changes):
    job = made(**changes)
    write_json(tmp_path / "job.json", job_to_json(job))
    assert job_from_json(read_json(tmp_path / "job.json")) == job


def test_what_comes_back_has_types_and_not_words(tmp_path):
    job = job_from_json(json.loads(json.dumps(job_to_json(made()))))
    assert isinstance(job.folder, Path)
    assert isinstance(job.batches, tuple)
    assert isinstance(job.subjects["other"].inputs, tuple)
    for value, kind in ((job.device, Device), (job.variants[0].kind, Kind), (job.variants[0].mode, CallMode)):
        assert type(value) is kind


def test_a_job_knows_its_rows():
    job = made()
    assert job.reference is job.variants[0]
    assert job.null is job.variants[1]
    assert [job.variant(variant.name) for variant in job.variants] == [*job.variants]
    with pytest.raises(StopIteration):
        job.variant("nobody")


@pytest.mark.parametrize(("key", "value"), [("device", "tpu"), ("surprise", 1)])
def test_a_job_of_another_version_is_none(key, value):
    with pytest.raises((ValueError, TypeError)):
        job_from_json({**job_to_json(made()), key: value})


def test_a_job_says_all_it_needs():
    """The defaults of what may be left out are those of a job on the CPU that loads nothing first."""
    job = Job(variants=(), subjects={}, folder=Path("x"), batches=(1,), rounds=10, seed=0)
    assert (job.device, job.threads, job.fresh, job.single_calls) == (Device.CPU, (1,), "", 0)
