"""Servers: too busy to accept, slow to start and to stop, waiting for themselves."""
