"""bench: how fast each way to run a model is, timed after proving that its outputs are right.

The door: `bench.benchmark.bench` for a model, and `bench.compare.compare` for two callables.
"""
