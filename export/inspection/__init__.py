"""Read what a file says about itself, within limits and without running it."""
