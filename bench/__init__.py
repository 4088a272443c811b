"""bench: time every way to run a model, after proving that its outputs are right.

Entry points: `bench.benchmark.bench` for a model and `bench.compare.compare` for two callables.
"""
