"""Event loops, one file for each kind."""
