"""Prove that a runner is correct: test cases, the float64 oracle and its allowed error, comparison, and probes."""
