"""Prove that a runner is right: test cases, the float64 oracle and its allowed error, one comparison, and probes."""
