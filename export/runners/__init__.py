"""Run a module or an artifact: `bind` takes inputs and gives a call, which proof and benchmark share."""
