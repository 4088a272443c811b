"""bench: how fast each variant answers, and whether it still answers the same."""
