"""The reading commands, one file for each group: read a trace, write an answer."""
