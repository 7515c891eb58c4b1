"""One file for each group of commands: reads a trace, writes an answer."""
