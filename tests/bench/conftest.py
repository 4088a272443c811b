"""A job that is measured in real processes."""

import pytest

from bench.plan.preparation import keep_states, prepare_answers
from bench.plan.subject import Subject
from bench.plan.variants import (
    REFERENCE,
    eager_variants,
)
from bench.worker.messages import Job
from tests.bench_rows import prepare

ROUNDS = 10


@pytest.fixture
def job(penguins, tmp_path):
    """A job in a work folder of its own."""

    def make(variants=None, *, subject=None, bundle=penguins, reference=REFERENCE, **more) -> Job:
        subjects = {"model": subject or Subject(path=str(bundle))}
        sources = prepare_answers(tmp_path, subjects, (7,))
        subjects = keep_states(tmp_path, subjects, sources)
        prepared = prepare(variants or eager_variants()[:2], sources["model"], bundle, tmp_path, reference=reference)
        given = {"variants": prepared.variants, "subjects": subjects, "folder": tmp_path, "batches": (7,)}
        return Job(**{**given, "rounds": ROUNDS, "seed": 1, "single_calls": 20, **more})

    return make
