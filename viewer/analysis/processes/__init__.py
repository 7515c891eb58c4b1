"""Processes of one run: who started whom, what they were given to do, how they ended."""
