"""bench: how fast each variant answers, and whether it still answers the same.

From Python: `bench.compare.compare_callables` for two callables, `bench.compare.compare_artifacts` for two files.
"""
