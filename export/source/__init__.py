"""`Source`: the module to export, in eval mode, with its inputs and their axes, names and metadata."""
