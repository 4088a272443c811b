"""One exporter a file: a source goes in, the bytes of a file come out. What formats are called stands in `names`."""
