"""Processes of one run: who they are, the file of each, and how a child begins to record."""
