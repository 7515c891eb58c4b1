"""A recording while it runs: the socket that it answers on, and those who ask it."""
