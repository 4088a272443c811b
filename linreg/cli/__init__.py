"""The command line: one file a command, which parses its options, calls the library and prints the result."""
