"""Run a module or an artifact: `bind` takes inputs and returns a call. Proof and benchmark use the same calls."""
