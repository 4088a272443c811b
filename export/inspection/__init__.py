"""Read what a file says of itself, within bounds and without running it."""
