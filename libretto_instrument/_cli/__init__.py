"""The command line: `libretto-instrument`."""
