"""Processes: uneven, killed, forked, slow to begin and to end."""
