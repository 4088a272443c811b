"""The command line: one file per command, which parses its options, calls the library and prints the result."""
