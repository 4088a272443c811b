"""What is exported: a module in eval mode, its inputs with their axes, names and metadata; `Source` is its door."""
