"""One exporter per format. Each takes a source and returns the bytes of a file; `names` lists the formats."""
