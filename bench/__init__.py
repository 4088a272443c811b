"""Time every way to run a model, after proving that each gives the right outputs.

Entry points: `bench.benchmark.bench` for a model and `bench.compare.compare` for two callables.
"""
