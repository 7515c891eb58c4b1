"""Tests that run several parts together, or somebody else's program."""
