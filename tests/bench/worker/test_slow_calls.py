"""Calls so slow that binding them five times would take most of the time."""

import bench.worker.measurement
from bench.worker.measurement import measure
from bench.worker.messages import job_from_json, job_to_json
from tests.faulty_rows import FEW


def test_slow_calls_have_one_binding_and_the_others_five(job, monkeypatch):
    bound = []
    real = bench.worker.measurement.bind
    monkeypatch.setattr(
        bench.worker.measurement, "bind", lambda *words: bound.append((words[0].name, words[3])) or real(*words)
    )
    own = job(FEW, batches=(1, 7), slow=(7,))
    rows = measure(job_from_json(job_to_json(own))).rows
    for variant in own.variants:
        assert bound.count((variant.name, 1)) == 5
        assert bound.count((variant.name, 7)) == 1
        assert rows[1, 7][variant.name].blocks is not None
