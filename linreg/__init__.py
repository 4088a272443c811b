"""linreg: fit a linear model with PyTorch, export it, prove it equal, measure it."""

__version__ = "0.1.0"
