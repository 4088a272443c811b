"""One exporter for each format: it takes a source and returns the bytes of a file. `names` has the formats' names."""
