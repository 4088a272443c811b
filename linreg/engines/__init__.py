"""Engines run a function over the units of a table, here or elsewhere, and give its results in order."""
