"""Run a module or an artifact: `bind` takes inputs and returns a call, which proof and benchmark share."""
