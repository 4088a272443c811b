"""bench: time every way to run a model, after proving that its outputs are right.

Entry points: `bench.benchmark.bench` for a model, `bench.compare.compare` for two callables, and
`bench.compare.compare_artifacts` for two exported files.
"""
