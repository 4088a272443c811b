"""bench: how fast each way to run a model is, timed after proving that its outputs are right.

The door: `bench.benchmark.bench` for a model, `bench.compare.compare` for two callables, and
`bench.compare.compare_artifacts` for two exported files.
"""
