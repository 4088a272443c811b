"""Fixtures of a job that is measured in this process."""

import pytest

import bench.worker.measurement
from bench.plan.preparation import prepare_answers
from bench.plan.subject import Subject
from bench.plan.variants import REFERENCE
from bench.worker.messages import Job
from tests.bench_rows import prepare
from tests.faulty_rows import FEW, ROUNDS


@pytest.fixture
def job(penguins, tmp_path, threads, frozen):
    """A job in a work folder of its own."""

    def make(variants=FEW, *, batches=(7,), subjects=None, bundle=penguins, **more) -> Job:
        subjects = subjects or {"model": Subject(path=str(bundle))}
        source = prepare_answers(tmp_path, subjects, batches)["model"]
        given = {"reference": more.pop("reference", REFERENCE), "provided": more.pop("provided", ())}
        prepared = prepare(variants, source, bundle, tmp_path, **given)
        assert prepared.skipped == ()
        ready = {"variants": prepared.variants, "subjects": subjects, "folder": tmp_path, "batches": batches}
        return Job(**{**ready, "rounds": ROUNDS, "seed": 1, **more})

    return make


@pytest.fixture
def planted(monkeypatch):
    """Put other runners in the place of rows, by name."""

    def plant(**makers) -> None:
        real = bench.worker.measurement.build
        monkeypatch.setattr(
            bench.worker.measurement,
            "build",
            lambda variant, *words, **more: (
                makers[variant.name]() if variant.name in makers else real(variant, *words, **more)
            ),
        )

    return plant
