"""Bundles: write them, check them, decide what may be loaded, and verify them with their test vectors."""
