"""Prove a runner right: the cases, the float64 oracle with its allowed error, the comparison, and probes in a child."""
